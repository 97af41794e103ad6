/** What a process has heard last, so that who begins to wait misses nothing that is on its way into the store. */

const ENTRIES = 2_000;
const BYTES = 16_777_216;

export interface LogEntry {
  /** Grows over the whole log. */
  readonly position: number;
  readonly topic: string;
  readonly event_id: string;
  /** JSON text. */
  readonly payload: string;
  /** Unix milliseconds. */
  readonly ts: number;
}

export interface Recent {
  /** False for an entry that is here already: a sender that lost its connection may have sent it twice. */
  add(entry: LogEntry): boolean;
  drop(gone: (entry: LogEntry) => boolean): void;
  /** Those after the positions, in order within each topic. */
  after(from: ReadonlyMap<string, number>): LogEntry[];
}

export function createRecent(): Recent {
  let entries: LogEntry[] = [];
  let byTopic = new Map<string, LogEntry[]>();
  let bytes = 0;
  const known = new Set<string>();
  const name = ({ topic, event_id }: LogEntry) => `${topic}\n${event_id}`;

  /** Now and then, and then half of it. */
  function forget(): void {
    let from = entries.length - ENTRIES;
    let left = bytes;
    if (from < 0) from = 0;
    for (const [i, entry] of entries.entries()) {
      if (i >= from && left <= BYTES) break;
      left -= entry.payload.length;
      known.delete(name(entry));
      from = Math.max(from, i + 1);
    }
    entries = entries.slice(from);
    byTopic = Map.groupBy(entries, ({ topic }) => topic);
    bytes = left;
  }

  return {
    add(entry) {
      if (known.has(name(entry))) return false;
      known.add(name(entry));
      entries.push(entry);
      const ofTopic = byTopic.get(entry.topic);
      if (ofTopic) ofTopic.push(entry);
      else byTopic.set(entry.topic, [entry]);
      bytes += entry.payload.length;
      if (entries.length > 2 * ENTRIES || bytes > 2 * BYTES) forget();
      return true;
    },
    drop(gone) {
      const left = entries.filter((entry) => !gone(entry));
      for (const entry of entries) if (gone(entry)) known.delete(name(entry));
      entries = left;
      byTopic = Map.groupBy(entries, ({ topic }) => topic);
      bytes = left.reduce((sum, { payload }) => sum + payload.length, 0);
    },
    after(from) {
      const found: LogEntry[] = [];
      for (const [topic, last] of from) {
        const ofTopic = byTopic.get(topic) ?? [];
        // Mostly the last few of many.
        let first = ofTopic.length;
        while (first > 0 && (ofTopic[first - 1]?.position ?? 0) > last) first--;
        for (let i = first; i < ofTopic.length; i++) {
          const entry = ofTopic[i];
          if (entry) found.push(entry);
        }
      }
      return found;
    },
  };
}
