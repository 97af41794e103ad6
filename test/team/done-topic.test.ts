/** The done topic of a child: whoever waits there hears one end, and nobody but the child or the engine tells it. */
import { describe, expect, it } from "vitest";
import { parseSettings } from "../../src/core/settings.ts";
import { openStore } from "../../src/store/open.ts";
import { createSignals } from "../../src/team/signals.ts";
import { aChild, aTask } from "../support/store-data.ts";

const TOPIC = "signal:c-t1-1:done";

async function outside(env: Readonly<Record<string, string>>) {
  const store = await openStore({ url: "sqlite::memory:" });
  await store.submit(aTask("t1"), [aChild("t1", 1)], []);
  const signals = createSignals({ store, settings: parseSettings(env), redact: (text) => text });
  return { store, signals };
}

describe("a send from outside of any conversation", () => {
  it("to the done topic of a child is refused, since the engine tells its end", async () => {
    const { store, signals } = await outside({});
    await using _store = store;
    await expect(signals.send(TOPIC, { event: "done" })).rejects.toMatchObject({ code: "topic_reserved" });
    expect(await store.topics.read(TOPIC, null, 9)).toEqual([]);
    expect(await signals.send("signal:mine:done", 1)).toMatchObject({ ok: true });
  });

  it("is the one terminal signal where children tell it themselves", async () => {
    const { store, signals } = await outside({ AUTO_CHILD_SIGNAL_DONE: "0" });
    await using _store = store;
    const [first, second] = [await signals.send(TOPIC, 1), await signals.send(TOPIC, 2)];
    expect(second.message_id).toBe(first.message_id);
    expect((await store.topics.read(TOPIC, null, 9)).map(({ payload }) => payload)).toEqual([1]);
  });
});
