/** Notices what other processes commit, by asking the database whether anything changed. */

/** How often, milliseconds: while there is news, and once none has come for long, for a process that waits all day. */
const POLL_MS = { busy: 2, quiet: 25 };
const QUIET_AFTER_MS = 10_000;

/** Where the streams stand: the last `seq` of each. */
export interface Marks {
  readonly topics: number;
  readonly events: number;
}

/** What can be asked about other connections. */
export interface Foreign {
  /** Cheap and synchronous; changes when another connection has committed. */
  version(): number;
  marks(): Promise<Marks>;
  /** The topics and tasks with rows after the marks, and the marks after those rows. */
  since(marks: Marks): Promise<{ topics: readonly string[]; tasks: readonly string[]; marks: Marks }>;
}

export interface Polling {
  /** From here on no commit is missed. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** Begins to notice what others commit: `seen` names what is new, `missed` says that anything may be new. */
export type WatchOthers = (
  seen: (topics: readonly string[], tasks: readonly string[]) => void,
  missed: () => void,
) => Polling;

export function startPolling(
  foreign: Foreign,
  seen: (topics: readonly string[], tasks: readonly string[]) => void,
  failed: (error: unknown) => void,
): Polling {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let news = performance.now();
  let version = foreign.version();

  async function look(marks: Marks): Promise<Marks> {
    const now = foreign.version();
    if (now === version) return marks;
    // Rows committed after `now` was read may be found too; they are found once more at the next look, which is harmless.
    const found = await foreign.since(marks);
    version = now;
    if (found.topics.length > 0 || found.tasks.length > 0) news = performance.now();
    if (!stopped) seen(found.topics, found.tasks);
    return found.marks;
  }

  async function begin(): Promise<void> {
    let marks = await foreign.marks();
    const soon = () => {
      if (stopped) return;
      const quiet = performance.now() - news > QUIET_AFTER_MS;
      timer = setTimeout(again, quiet ? POLL_MS.quiet : POLL_MS.busy);
    };
    const again = () => {
      look(marks)
        .then((next) => {
          marks = next;
        }, failed)
        .finally(soon);
    };
    soon();
  }

  const ready = begin();
  ready.catch(failed);
  return {
    ready,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
