/**
 * LISTEN and NOTIFY: how the stores of other processes learn what was committed. A hint only: it is sent after the
 * commit, from one connection it is heard on another, and whatever gets lost on the way (a process that died in between,
 * a connection that was cut) is found by looking at everything once in a while.
 */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { Polling, WatchOthers } from "./poller.ts";
import type { Clients } from "./postgres-clients.ts";
import { isLost } from "./postgres-error.ts";

/** Those who wait look at everything this often. */
const LOOK_MS = 5_000;
const RECONNECT_MS = 50;
const RECONNECT_AT_MOST_MS = 2_000;
/** Postgres takes 8,000 bytes. */
const PAYLOAD_BYTES = 7_000;

export interface Listener {
  readonly watch: WatchOthers;
  /** Never fails: what could not be told is found by looking. */
  tell(topics: readonly string[], tasks: readonly string[]): void;
  /** Sends what is still to be told. */
  close(): Promise<void>;
}

/** Whether the connection keeps the process alive; the driver has it, its types do not. */
function hold(client: pg.Client | null, held: boolean): void {
  const change: unknown = client && Reflect.get(client, held ? "ref" : "unref");
  if (typeof change === "function") change.call(client);
}

/** `null`: more than fits, look at everything. */
type News = { readonly topics: readonly string[]; readonly tasks: readonly string[] } | null;

function packed(sender: string, topics: ReadonlySet<string>, tasks: ReadonlySet<string>): string[] {
  const payloads: string[] = [];
  let batch: [string, string[], string[]] = [sender, [], []];
  let bytes = 0;
  const flush = () => {
    if (bytes > 0) payloads.push(JSON.stringify(batch));
    batch = [sender, [], []];
    bytes = 0;
  };
  const add = (into: 1 | 2, name: string) => {
    const size = Buffer.byteLength(JSON.stringify(name)) + 1;
    if (size > PAYLOAD_BYTES) return void payloads.push(JSON.stringify([sender]));
    if (bytes + size > PAYLOAD_BYTES) flush();
    batch[into].push(name);
    bytes += size;
  };
  for (const topic of topics) add(1, topic);
  for (const task of tasks) add(2, task);
  flush();
  return payloads;
}

function names(value: unknown): string[] | null {
  return Array.isArray(value) && value.every((name) => typeof name === "string") ? value : null;
}

/** Undefined for what this store has said itself. Anybody may notify a channel, so that nothing is taken for granted. */
function unpacked(payload: string, self: string): News | undefined {
  let said: unknown;
  try {
    said = JSON.parse(payload);
  } catch {
    return null;
  }
  if (!Array.isArray(said)) return null;
  if (said[0] === self) return undefined;
  const [topics, tasks] = [names(said[1]), names(said[2])];
  return topics && tasks ? { topics, tasks } : null;
}

export function createListener(clients: Clients, channel: string): Listener {
  const self = randomUUID();
  const topics = new Set<string>();
  const tasks = new Set<string>();
  let telling: Promise<void> | null = null;
  let ear: pg.Client | null = null;
  let connecting: Promise<void> | null = null;
  let watching: { seen: Parameters<WatchOthers>[0]; missed: () => void } | null = null;
  let later: NodeJS.Timeout | undefined;
  let closed = false;

  async function tellAll(): Promise<void> {
    while (topics.size > 0 || tasks.size > 0) {
      const payloads = packed(self, topics, tasks);
      topics.clear();
      tasks.clear();
      const taken = await clients.take();
      try {
        await taken.client.query("select pg_notify($1, payload) from unnest($2::text[]) as payload", [
          channel,
          payloads,
        ]);
      } catch (error) {
        taken.broken = true;
        throw error;
      } finally {
        taken.give();
      }
    }
  }

  function hear({ payload }: pg.Notification): void {
    if (!watching) return;
    const news = unpacked(payload ?? "", self);
    if (news) watching.seen(news.topics, news.tasks);
    else if (news === null) watching.missed();
  }

  async function connect(): Promise<void> {
    const client = await clients.listening(channel, hear);
    if (closed) return client.end();
    ear = client;
    if (!watching) hold(client, false);
    client.on("end", () => {
      if (ear !== client) return;
      ear = null;
      if (watching) reconnect();
    });
  }

  function connected(): Promise<void> {
    if (ear) return Promise.resolve();
    return (connecting ??= connect().finally(() => {
      connecting = null;
    }));
  }

  /** Until it is there again or nobody waits any more. Nothing was heard meanwhile, so that all look again then. */
  function reconnect(wait = RECONNECT_MS): void {
    if (closed || !watching || later) return;
    const again = () => {
      later = undefined;
      reconnect(Math.min(wait * 2, RECONNECT_AT_MOST_MS));
    };
    connected().then(
      () => watching?.missed(),
      () => {
        if (!closed && watching) later ??= setTimeout(again, wait);
      },
    );
  }

  function rest(): void {
    watching = null;
    clearTimeout(later);
    later = undefined;
    hold(ear, false);
  }

  function watch(seen: Parameters<WatchOthers>[0], missed: () => void): Polling {
    watching = { seen, missed };
    const mine = watching;
    hold(ear, true);
    const looking = setInterval(missed, LOOK_MS);
    const ready = connected().catch((error: unknown) => {
      // A server that is away just now is waited for by the reads that follow.
      if (!isLost(error)) throw error;
      reconnect();
    });
    ready.catch(missed);
    return {
      ready,
      stop() {
        clearInterval(looking);
        if (watching === mine) rest();
      },
    };
  }

  return {
    watch,
    tell(newTopics, newTasks) {
      for (const topic of newTopics) topics.add(topic);
      for (const task of newTasks) tasks.add(task);
      telling ??= tellAll()
        // Not told is not lost: the others look by themselves within LOOK_MS.
        .catch(() => undefined)
        .finally(() => {
          telling = null;
        });
    },
    async close() {
      closed = true;
      rest();
      await telling;
      await connecting?.catch(() => undefined);
      const last = ear;
      ear = null;
      // Whoever closes the store waits for this, and may have nothing else left that keeps the process alive.
      hold(last, true);
      await last?.end();
    },
  };
}
