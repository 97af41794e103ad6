/** Joining the stream of events, without a store: whenever somebody comes, and however far behind he is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OxbowEvent } from "../../src/core/events.ts";
import type { EventLog } from "../../src/store/event-log.ts";
import { openFeed, type StreamRequest } from "../../src/stream-feed.ts";
import { createStreamHub } from "../../src/stream-hub.ts";

const ALL: StreamRequest = {
  events: null,
  agent: null,
  taskId: null,
  ticket: null,
  conversation: null,
  after: null,
  follow: true,
  ofTask: false,
};

/** A log in memory whose answers come when `turn` lets them. */
function memoryLog(turn: <T>(work: () => T) => Promise<T>) {
  const all: OxbowEvent[] = [];
  const waiting = new Set<() => void>();
  let pages = 0;
  const log: EventLog = {
    newest: () => turn(() => all.length),
    has: (position) => turn(() => position >= 1 && position <= all.length),
    page: ({ taskId, names }, after, limit) =>
      turn(() => {
        pages += 1;
        const fits = all.slice(after).filter((each) => taskId === null || each.task_id === taskId);
        const events = fits.filter((each) => names === null || names.includes(each.event)).slice(0, limit);
        return { events, until: all.length };
      }),
    async news() {
      let isNews = false;
      let wake: (() => void) | null = null;
      const told = () => {
        isNews = true;
        wake?.();
      };
      waiting.add(told);
      return {
        next: (_ms, signal) =>
          new Promise((resolve, reject) => {
            wake = () => {
              if (signal.aborted) return reject(signal.reason);
              isNews = false;
              resolve();
            };
            signal.addEventListener("abort", wake);
            if (isNews || signal.aborted) wake();
          }),
        [Symbol.dispose]: () => void waiting.delete(told),
      };
    },
  };
  return {
    log,
    pages: () => pages,
    append(task_id: string): void {
      const id = String(all.length + 1);
      all.push({ event: "notice", id, ts: "", task_id, code: "x", message: id });
      for (const told of waiting) told();
    },
    length: () => all.length,
  };
}

const store = (log: EventLog) => ({ log, task: () => Promise.resolve(null) });
const options = { redact: (text: string) => text, failed: () => undefined };

describe("the stream of events", () => {
  it("gives every event after the one named, once and in order, whoever joins when and reads how fast", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ do: fc.constant("join" as const), behind: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 6 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { minLength: 5, maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        async (turns, steps, kept) => {
          const memory = memoryLog((work) => turns.schedule(Promise.resolve()).then(work));
          const hub = createStreamHub(memory.log, { ...options, kept });
          const stop = new AbortController();
          const readers: { from: number | null; got: number[]; done: Promise<void> }[] = [];
          const join = (from: number) => {
            const reader = { from: null as number | null, got: [] as number[], done: Promise.resolve() };
            const read = async () => {
              using stream = await openFeed(hub, store(memory.log), new Map(), {
                ...ALL,
                after: String(from),
              });
              reader.from = Number(stream.after);
              for await (const item of stream.items(stop.signal)) {
                if (item.kind !== "events") continue;
                // One that takes its time.
                await turns.schedule(Promise.resolve());
                reader.got.push(...item.events.map(({ position }) => position));
              }
            };
            reader.done = read().catch((error: unknown) => {
              if (!stop.signal.aborted) throw error;
            });
            readers.push(reader);
          };
          for (const each of steps) {
            if (each.do === "append") for (let n = 0; n < each.count; n++) memory.append("t");
            if (each.do === "join") join(Math.max(0, memory.length() - each.behind));
            for (let n = 0; each.do === "turn" && n < each.count && turns.count() > 0; n++)
              await turns.waitOne();
          }
          const last = memory.length();
          const isDone = () =>
            readers.every(({ from, got }) => from !== null && (got.at(-1) ?? from) === last);
          while (!isDone()) {
            if (turns.count() > 0) await turns.waitOne();
            else await new Promise((resolve) => setImmediate(resolve));
          }
          for (const { from, got } of readers)
            expect(got).toEqual(Array.from({ length: last - (from ?? 0) }, (_, i) => (from ?? 0) + i + 1));
          stop.abort();
          await turns.waitFor(Promise.all(readers.map(({ done }) => done)));
          expect(hub.inspect().followers).toBe(0);
          expect(hub.inspect().kept).toBeLessThanOrEqual(kept);
          await turns.waitFor(hub.close());
        },
      ),
      { numRuns: 100 },
    );
  });

  it("of 1,000 who follow is read by one", async () => {
    const memory = memoryLog(async (work) => work());
    const hub = createStreamHub(memory.log, options);
    const stop = new AbortController();
    const follow = async () => {
      using stream = await openFeed(hub, store(memory.log), new Map(), ALL);
      const got: number[] = [];
      for await (const item of stream.items(stop.signal)) {
        if (item.kind === "caught_up" && got.length === 0) memoryReady();
        if (item.kind === "events") got.push(...item.events.map(({ position }) => position));
        if (got.at(-1) === 50) return got;
      }
      return got;
    };
    let ready = 0;
    const all = Promise.withResolvers<void>();
    const memoryReady = () => void (++ready === 1000 && all.resolve());
    const followers = Array.from({ length: 1000 }, follow);
    await all.promise;
    const before = memory.pages();
    for (let n = 0; n < 50; n++) memory.append("t");
    const wanted = Array.from({ length: 50 }, (_, i) => i + 1);
    for (const got of await Promise.all(followers)) expect(got).toEqual(wanted);
    expect(memory.pages() - before).toBeLessThanOrEqual(51);
    await hub.close();
  });

  it("goes on when the store was away for a moment", async () => {
    const memory = memoryLog(async (work) => work());
    let away = false;
    const failures: unknown[] = [];
    const page: EventLog["page"] = async (...args) => {
      if (!away) return memory.log.page(...args);
      away = false;
      throw new Error("away");
    };
    const log = { ...memory.log, page };
    const hub = createStreamHub(log, { ...options, failed: (error) => failures.push(error), awayMs: 1 });
    using stream = await openFeed(hub, store(log), new Map(), ALL);
    away = true;
    memory.append("t");
    memory.append("t");
    const got: number[] = [];
    for await (const item of stream.items(new AbortController().signal)) {
      if (item.kind === "events") got.push(...item.events.map(({ position }) => position));
      if (got.length === 2) break;
    }
    expect([got, failures.length]).toEqual([[1, 2], 1]);
    await hub.close();
  });
});
