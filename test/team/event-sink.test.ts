/** Events of an attempt outlive a store that is away for a while. */
import { afterEach, describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import type { EventBody } from "../../src/core/events.ts";
import { createEventSink } from "../../src/team/engine.ts";

const event = (message: string): EventBody => ({ event: "notice", task_id: "t1", code: "test", message });

describe("events of an attempt", () => {
  const written: string[] = [];
  const problems: unknown[] = [];
  let away = false;
  const store = {
    append(events: readonly EventBody[]) {
      if (away) return Promise.reject(new OxbowError("store_failed", "The store is away."));
      written.push(...events.flatMap((each) => ("message" in each ? [each.message] : [])));
      return Promise.resolve([]);
    },
  };
  afterEach(() => {
    away = false;
    written.length = problems.length = 0;
  });

  it("are written in their order once the store is there again, each once", async () => {
    const sink = createEventSink(store, (error) => problems.push(error));
    sink.emit(event("one"));
    await sink.flush();
    away = true;
    sink.emit(event("two"));
    sink.emit(event("three"));
    await expect(sink.flush()).rejects.toMatchObject({ code: "store_failed" });
    expect(written).toEqual(["one"]);
    away = false;
    sink.emit(event("four"));
    await sink.flush();
    expect(written).toEqual(["one", "two", "three", "four"]);
    expect(problems).toMatchObject([{ code: "store_failed" }]);
  });

  it("are not reported as durable while they are not", async () => {
    const sink = createEventSink(store, (error) => problems.push(error));
    away = true;
    sink.emit(event("one"));
    await expect(sink.flush()).rejects.toMatchObject({ code: "store_failed" });
    await expect(sink.flush()).rejects.toMatchObject({ code: "store_failed" });
    away = false;
    await sink.flush();
    expect(written).toEqual(["one"]);
  });
});
