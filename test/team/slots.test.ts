import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSlots } from "../../src/team/slots.ts";

const never = new AbortController().signal;

describe("places to work in", () => {
  it("gives no more than there are, in the order they were asked for", async () => {
    const slots = createSlots(1);
    await slots.acquire(never);
    const order: number[] = [];
    const waiting = [1, 2, 3].map((n) => slots.acquire(never).then(() => order.push(n)));
    expect(order).toEqual([]);
    for (const _ of waiting) {
      slots.release();
      await Promise.resolve();
    }
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
  });

  it("lends the place of one that waits to another, and takes one back before it goes on", async () => {
    const slots = createSlots(1);
    await slots.acquire(never);
    const log: string[] = [];
    const child = Promise.withResolvers<void>();
    const parent = slots.parked(() => child.promise, never).then(() => log.push("parent"));
    await slots.acquire(never);
    log.push("child");
    child.resolve();
    await Promise.resolve();
    slots.release();
    await parent;
    expect(log).toEqual(["child", "parent"]);
  });

  it("never has more at work than places, whatever is acquired, parked, aborted and released", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 20 }),
        async (size, parks) => {
          const slots = createSlots(size);
          let working = 0;
          let most = 0;
          const enter = () => {
            working += 1;
            most = Math.max(most, working);
          };
          await Promise.all(
            parks.map(async (park, i) => {
              const aborted = AbortSignal.abort(new Error("stopped"));
              if (i % 7 === 6) return expect(slots.acquire(aborted)).rejects.toThrow("stopped");
              await slots.acquire(never);
              enter();
              await Promise.resolve();
              if (park) {
                working -= 1;
                await slots.parked(() => Promise.resolve(), never);
                enter();
              }
              working -= 1;
              slots.release();
            }),
          );
          expect(most).toBeLessThanOrEqual(size);
        },
      ),
    );
  });
});
