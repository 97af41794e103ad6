import type { KyselyPlugin } from "kysely";
import { describe, expect, it } from "vitest";
import { createDatabase, type Engine } from "../../src/store/engine.ts";
import { createHub } from "../../src/store/hub.ts";
import { migrate } from "../../src/store/migrations.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { createTopics } from "../../src/store/topics.ts";
import { sqliteFile } from "../support/store-engines.ts";

async function countedTopics(file: string) {
  const engine = await openSqlite({ file, busyMs: 1000 });
  await migrate(engine, Date.now);
  let queries = 0;
  const counter: KyselyPlugin = {
    transformQuery: ({ node }) => {
      queries++;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const kysely = engine.kysely.withPlugin(counter);
  const counted: Engine = {
    ...engine,
    kysely,
    transact: (_lane, work) => kysely.transaction().execute(work),
  };
  const hub = createHub(engine.watchOthers);
  return {
    hub,
    topics: createTopics(createDatabase(counted, hub, Date.now)),
    queries: () => queries,
    [Symbol.asyncDispose]: engine.close,
  };
}

describe("waiting", () => {
  it("costs one query for a thousand topics, and one for the topic that woke it", async () => {
    await using counted = await countedTopics(":memory:");
    const from = Array.from({ length: 1000 }, (_, i) => ({ topic: `t${i}`, after: null }));
    expect(await counted.topics.wait(from, 0)).toEqual([]);
    expect(counted.queries()).toBe(1);
    const waiting = counted.topics.wait(from, 10_000);
    await new Promise((resolve) => setImmediate(resolve));
    const before = counted.queries();
    await counted.topics.publish("t500", "x");
    expect(await waiting).toHaveLength(1);
    expect(counted.queries() - before).toBe(2);
    for (const { topic } of from) await counted.topics.publish(topic, "y");
    const then = counted.queries();
    expect(await counted.topics.wait(from, 10_000)).toHaveLength(1000);
    expect(counted.queries() - then).toBe(1);
  });

  it("polls with one poller while somebody waits, and not a moment longer", async () => {
    await using database = await sqliteFile();
    const other = await database.open();
    await using counted = await countedTopics(database.url.slice("sqlite:".length));
    expect(counted.hub.inspect()).toEqual({ waiting: 0, polling: false });
    const abort = new AbortController();
    const long = [1, 2, 3].map((n) =>
      counted.topics.wait([{ topic: `a${n}`, after: null }], 60_000, abort.signal).catch(() => "cut"),
    );
    const short = counted.topics.wait([{ topic: "b", after: null }], 10);
    const woken = counted.topics.wait([{ topic: "c", after: null }], 60_000);
    await other.topics.publish("c", 1);
    expect(await woken).toHaveLength(1);
    expect(await short).toEqual([]);
    expect(counted.hub.inspect()).toEqual({ waiting: 3, polling: true });
    abort.abort();
    expect(await Promise.all(long)).toEqual(["cut", "cut", "cut"]);
    expect(counted.hub.inspect()).toEqual({ waiting: 0, polling: false });
  });
});
