import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { notice } from "../support/store-data.ts";
import { sqliteFile } from "../support/store-engines.ts";
import { describeProcesses } from "./describe-processes.ts";

describeProcesses("one SQLite file", sqliteFile);

describe("one SQLite file", () => {
  it("lets timers run while thousands of transactions are queued", async () => {
    await using database = await sqliteFile();
    const store = await openStore({ url: database.url });
    const work = Promise.all(Array.from({ length: 2000 }, (_, i) => store.append([notice("t", `${i}`)])));
    let turns = 0;
    let over = false;
    const counting = (async () => {
      while (!over) {
        await delay(1);
        turns++;
      }
    })();
    await work;
    over = true;
    await counting;
    await store[Symbol.asyncDispose]();
    expect(turns).toBeGreaterThan(5);
  });
});
