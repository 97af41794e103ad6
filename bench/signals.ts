/** How soon a signal is heard: in one process, across two, and by one that waits for a thousand. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInterface } from "node:readline";
import { setImmediate as turn } from "node:timers/promises";
import { parseSettings } from "../src/core/settings.ts";
import type { Store } from "../src/store/contract.ts";
import { openStore } from "../src/store/open.ts";
import { createSignals } from "../src/team/signals.ts";
import { rawPair, startRedis } from "./signals-redis.ts";
import {
  type Bench,
  GOAL_COLUMNS,
  goalRow,
  inMs,
  mediansOf,
  median,
  percentile,
  PLAIN_ENV,
  type Section,
  takeTurns,
  timed,
  times,
} from "./measure.ts";

const PAYLOAD = { event: "done", outcome: "completed", branch: "feature/bench/agent-001" };
const CHILDREN = 1000;
const PATIENCE_MS = 60_000;

interface Wake {
  /** From the call of publish to the return of the wait, milliseconds. */
  readonly all: number[];
  /** Of that, from the moment publish returned: the signal was durable. */
  readonly afterCommit: number[];
}

async function wakeInOneProcess(
  store: Store,
  topic: string,
  count: number,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<Wake> {
  const wake: Wake = { all: [], afterCommit: [] };
  let after: string | null = null;
  for (let i = 0; i < count; i++) {
    await before();
    const waiting = store.topics.wait([{ topic, after }], PATIENCE_MS);
    const heard = waiting.then((entries) => ({ at: performance.now(), entries }));
    // The waiter has looked, found nothing, and sleeps.
    for (let turns = 0; turns < 5; turns++) await turn();
    const started = performance.now();
    await store.topics.publish(topic, PAYLOAD);
    const durable = performance.now();
    const { at, entries } = await heard;
    if (at < started) throw new Error("The waiter did not sleep.");
    after = entries[0]?.message_id ?? null;
    wake.all.push(at - started);
    wake.afterCommit.push(Math.max(0, at - durable));
  }
  return wake;
}

/** The least that a durable signal costs: one row in a transaction of its own, and the row read again. */
function insertAndRead(file: string, count: number): number[] {
  using db = new DatabaseSync(file);
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (seq INTEGER PRIMARY KEY, payload TEXT)",
  );
  const insert = db.prepare("INSERT INTO t (payload) VALUES (?)");
  const read = db.prepare("SELECT payload FROM t WHERE seq > ?");
  const taken: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    insert.run(JSON.stringify(PAYLOAD));
    read.all(i);
    taken.push(performance.now() - started);
  }
  return taken;
}

/** One way: another process publishes the time, by a clock that both share; here it is heard. */
async function wakeAcrossProcesses(store: Store, urls: readonly string[], count: number): Promise<number[]> {
  const script = path.join(import.meta.dirname, "signals-peer.ts");
  const peer = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, ...urls], {
    env: PLAIN_ENV,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(peer, "close");
  const lines = createInterface({ input: peer.stdout });
  await once(lines, "line");
  const taken: number[] = [];
  let after: string | null = null;
  for (let i = 0; i < count; i++) {
    const waiting = store.topics.wait([{ topic: "bench:two", after }], PATIENCE_MS);
    peer.stdin.write("publish\n");
    const [entry] = await waiting;
    const heard = process.hrtime.bigint();
    after = entry?.message_id ?? null;
    taken.push(Number(heard - BigInt(JSON.stringify(entry?.payload).replaceAll('"', ""))) / 1e6);
    // Not in step with the other side's polling.
    await new Promise((resolve) => setTimeout(resolve, 3 + Math.random() * 4));
  }
  peer.stdin.end();
  await ended;
  return taken;
}

function redisGoals({ floor, wake, fanIn: { all, one } }: OverRedis): string[][] {
  const [woken, ratio] = [median(wake) / floor, all / one];
  return [
    goalRow("wake-up over Redis, against the raw round trip", "≤ 1.5×", times(woken), woken <= 1.5),
    goalRow(
      "1,000-way `wait_all` over Redis, against one stream per parent",
      "≤ 1.5×",
      times(ratio),
      ratio <= 1.5,
    ),
  ];
}

/** Children end one by one; their parent waits for all of them, each on a topic of its own. */
async function waitForAll(store: Store, round: number): Promise<number> {
  const signals = createSignals({ store, settings: parseSettings({}), redact: (text) => text });
  const topics = Array.from({ length: CHILDREN }, (_, n) => `signal:c_${round}_${n}:done`);
  const waiting = signals.waitAll(topics, {}, PATIENCE_MS, new AbortController().signal);
  await turn();
  return timed(async () => {
    for (const topic of topics) await store.topics.publish(topic, PAYLOAD);
    const { ok } = await waiting;
    if (!ok) throw new Error("A signal was missed.");
  });
}

/** The peer: all children write to one topic, and the parent counts. */
async function waitOnOneStream(store: Store, round: number): Promise<number> {
  const topic = `bench:parent:${round}`;
  const count = async () => {
    using following = store.topics.follow([{ topic, after: null }]);
    for (let seen = 0; seen < CHILDREN; ) seen += (await following.next(PATIENCE_MS)).length;
  };
  const waiting = count();
  await turn();
  return timed(async () => {
    for (let n = 0; n < CHILDREN; n++) await store.topics.publish(topic, PAYLOAD);
    await waiting;
  });
}

interface FanIn {
  /** Milliseconds for CHILDREN children. */
  readonly all: number;
  readonly one: number;
}

async function fanIn(store: Store, bench: Bench): Promise<FanIn> {
  return mediansOf(
    await takeTurns(bench.quick ? 2 : 5, {
      all: (round) => waitForAll(store, round),
      one: (round) => waitOnOneStream(store, round),
    }),
  );
}

interface OverRedis {
  readonly floor: number;
  readonly wake: number[];
  readonly across: number[];
  readonly fanIn: FanIn;
}

/** Null without a redis-server. */
async function overRedis(bench: Bench): Promise<OverRedis | null> {
  await using redis = await startRedis(bench.dir);
  if (!redis) return null;
  const url = `sqlite:${path.join(bench.dir, "signals-redis.db")}`;
  await using store = await openStore({ url, redis: { url: redis.url } });
  using pair = await rawPair(redis.socket);
  const raw: number[] = [];
  const bare = async () => void raw.push(await pair.wake());
  await wakeInOneProcess(store, "bench:warm", 500, bare);
  raw.length = 0;
  // In turns, signal by signal, so that both meet the machine in the same state.
  const wake = (await wakeInOneProcess(store, "bench:one", bench.quick ? 200 : 2000, bare)).all;
  const across = await wakeAcrossProcesses(store, [url, redis.url], bench.quick ? 100 : 500);
  return { floor: median(raw), wake, across, fanIn: await fanIn(store, bench) };
}

export async function signals(bench: Bench): Promise<Section> {
  bench.say("signals");
  const url = `sqlite:${path.join(bench.dir, "signals.db")}`;
  await using store = await openStore({ url });
  const count = bench.quick ? 200 : 2000;
  await wakeInOneProcess(store, "bench:warm", 500);
  const { all, afterCommit } = await wakeInOneProcess(store, "bench:one", count);
  const floor = median(insertAndRead(path.join(bench.dir, "floor.db"), count));
  const across = await wakeAcrossProcesses(store, [url], bench.quick ? 100 : 500);
  const inStore = await fanIn(store, bench);
  const redis = await overRedis(bench);
  const [wake, woken, other] = [median(all), median(afterCommit), median(across)];
  const ratio = inStore.all / inStore.one;
  const row = (what: string, values: readonly number[]) => [
    what,
    inMs(median(values)),
    inMs(percentile(values, 99)),
  ];
  return {
    title: "Signals",
    about:
      "The embedded store: SQLite in a file, every signal durable. *One process*: from the call of `publish` to the return of a `wait` that was asleep. *Two processes*: from the call of `publish` in one to the return of `wait` in the other.",
    tables: [
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows: [
          goalRow("wake-up in one process, p50, with the durable write", "< 100 µs", inMs(wake), wake < 0.1),
          goalRow("wake-up across two processes, p50", "< 5 ms", inMs(other), other < 5),
          goalRow(
            "1,000-way `wait_all`, against one stream per parent",
            "≤ 1.5×",
            times(ratio),
            ratio <= 1.5,
          ),
          ...(redis ? redisGoals(redis) : []),
        ],
      },
      {
        caption: "Time:",
        columns: ["", "p50", "p99"],
        rows: [
          row("wake-up in one process", all),
          row("of that, after `publish` returned", afterCommit),
          ["floor: one row written and read through `node:sqlite`", inMs(floor), ""],
          row("wake-up across two processes", across),
          [`\`wait_all\` for ${CHILDREN} children that end one by one`, inMs(inStore.all), ""],
          [`one topic for all ${CHILDREN}`, inMs(inStore.one), ""],
          ...(redis
            ? [
                ["over Redis: floor, XADD to blocked XREAD over bare sockets", inMs(redis.floor), ""],
                row("over Redis: wake-up in one process", redis.wake),
                row("over Redis: wake-up across two processes", redis.across),
                [`over Redis: \`wait_all\` for ${CHILDREN} children`, inMs(redis.fanIn.all), ""],
                [`over Redis: one topic for all ${CHILDREN}`, inMs(redis.fanIn.one), ""],
              ]
            : []),
        ],
      },
    ],
    notes: [
      "Nothing is extrapolated.",
      redis
        ? "Redis: a private server on a unix socket with an append-only file, beside SQLite. The wake-up is from the call of `publish`; `publish` itself returns once the signal is in the store too."
        : "Redis was not measured: there is no redis-server on this machine.",
      `One process: ${times(wake / floor)} the floor; ${inMs(woken)} of it after the write.`,
    ],
  };
}
