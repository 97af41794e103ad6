/** A standing wait on many topics: registered once, and each wake costs what it brings, however many topics there are. */
import type { Following, Position, TopicEntry } from "./contract.ts";
import { abortError, type Hub, type Registration } from "./hub.ts";
import { fromMessageId } from "./rows.ts";

/** The most entries one wait returns; the caller goes on from the last. */
const WAIT_LIMIT = 1000;

/** Where a transport keeps its entries, for those who wait. */
export interface TopicSource {
  readonly hub: Hub;
  /** Entries after these positions, oldest first. */
  read(from: ReadonlyMap<string, number>, limit: number): Promise<readonly TopicEntry[]>;
}

/** Where each topic is read from. Throws topic_rejected. */
function positions(from: readonly Position[]): Map<string, number> {
  const at = new Map<string, number>();
  for (const { topic, after } of from) {
    const position = fromMessageId(topic, after);
    at.set(topic, Math.min(position, at.get(topic) ?? position));
  }
  return at;
}

export function follow(source: TopicSource, from: readonly Position[]): Following {
  const at = positions(from);
  /** Topics of which a read was cut short. */
  let unread: readonly string[] = [];
  let registration: Registration | null = null;

  /** Those that are new here; from now on they are not. */
  function take(entries: readonly TopicEntry[]): TopicEntry[] {
    return entries.filter(({ topic, message_id }) => {
      const [last, position] = [at.get(topic), fromMessageId(topic, message_id)];
      if (last === undefined || position <= last) return false;
      at.set(topic, position);
      return true;
    });
  }

  async function look(topics: Iterable<string>): Promise<TopicEntry[]> {
    const wanted = new Map<string, number>();
    for (const topic of topics) {
      const position = at.get(topic);
      if (position !== undefined) wanted.set(topic, position);
    }
    unread = [];
    if (wanted.size === 0) return [];
    const entries = await source.read(wanted, WAIT_LIMIT);
    if (entries.length >= WAIT_LIMIT) unread = [...wanted.keys()];
    return take(entries);
  }

  async function wake(registered: Registration, timeoutMs: number, signal: AbortSignal | undefined) {
    const names = new Set(await registered.woken(timeoutMs, signal));
    // What was handed over of a topic that has to be read may not be the next of it.
    const handed = take(registered.handed().filter(({ topic }) => !names.has(topic)));
    return names.size > 0 ? [...handed, ...(await look(names))] : handed;
  }

  return {
    async next(timeoutMs, signal) {
      const deadline = performance.now() + timeoutMs;
      if (signal?.aborted) throw abortError(signal);
      let entries: TopicEntry[];
      if (registration) entries = await look(unread);
      else {
        entries = await look(at.keys());
        if (entries.length > 0 || timeoutMs <= 0) return entries;
        registration = source.hub.waitForTopics([...at.keys()]);
        await registration.ready;
        entries = await look(at.keys());
      }
      while (entries.length === 0) {
        const left = deadline - performance.now();
        // After the last moment one more look at everything: what was published in time is never missed.
        if (left <= 0) return look(at.keys());
        entries = await wake(registration, left, signal);
      }
      return entries;
    },
    drop(topic) {
      at.delete(topic);
      registration?.drop(topic);
    },
    [Symbol.dispose]: () => registration?.[Symbol.dispose](),
  };
}
