/** Who watches a run is shown every event in its order, also when the store could not be followed for a while. */
import { expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { following } from "../../src/following.ts";
import type { Store } from "../../src/store/contract.ts";
import { clockedEngine } from "../support/clocked-engine.ts";
import { makeShop } from "../support/shop.ts";
import { aTask } from "../support/store-data.ts";

it("shows the rest at the end, and the work goes on meanwhile", async () => {
  using shop = makeShop();
  await using opened = await clockedEngine(shop, { now: 1 });
  const { engine } = opened;
  const task = aTask("t1");
  await engine.store.submit(task, [], []);
  const note = (message: string) =>
    engine.store.append([{ event: "notice", task_id: "t1", code: "test", message }]);
  const seen = Promise.withResolvers<void>();
  // The connection is lost after the first event.
  const watch: Store["watch"] = async function* (...given) {
    for await (const event of engine.store.watch(...given)) {
      yield event;
      throw new OxbowError("store_failed", "The store is away.");
    }
  };
  const shown: string[] = [];
  const onEvent = (event: object) => {
    if ("message" in event) shown.push(String(event.message));
    seen.resolve();
  };
  const ended = await following(
    { ...engine, store: { ...engine.store, watch } },
    { onEvent },
    async (told) => {
      told(task, null);
      await note("one");
      await seen.promise;
      await note("two");
      await note("three");
      return "ended";
    },
  );
  expect([ended, shown]).toEqual(["ended", ["one", "two", "three"]]);
});
