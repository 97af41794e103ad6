import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffDelayS, backoffTotalS, createBackoff } from "../../src/core/backoff.ts";
import { type BreakerPass, createBreaker } from "../../src/core/breaker.ts";

describe("the wait before a restart", () => {
  it("doubles from a second to a minute, and the first so many add up", () => {
    const delays = Array.from({ length: 9 }, (_, i) => backoffDelayS(i + 1));
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    for (const [i] of delays.entries()) {
      expect(backoffTotalS(i)).toBe(delays.slice(0, i).reduce((sum, delay) => sum + delay, 0));
    }
    expect([backoffDelayS(1e9), backoffTotalS(10_001)]).toEqual([60, 63 + 60 * 9995]);
  });

  it("begins again after a stable minute, and only after one", () => {
    const backoff = createBackoff();
    backoff.started(0);
    expect(backoff.failed(500)).toEqual({ delayS: 1, inARow: 1 });
    backoff.started(501);
    expect(backoff.failed(502)).toEqual({ delayS: 2, inARow: 2 });
    backoff.started(504);
    expect(backoff.failed(563.9)).toEqual({ delayS: 4, inARow: 3 });
    backoff.started(568);
    expect(backoff.failed(628)).toEqual({ delayS: 1, inARow: 1 });
  });

  it("a start that fails is no stable minute, however long it took", () => {
    const backoff = createBackoff();
    backoff.failed(0);
    expect(backoff.failed(1000)).toEqual({ delayS: 2, inARow: 2 });
  });
});

describe("a breaker", () => {
  const options = { failures: 2, cooldownS: 10 };
  const opened = () => {
    const breaker = createBreaker(options);
    breaker.enter(0)?.failed(0);
    breaker.enter(0)?.failed(0);
    return breaker;
  };

  it("opens after failures in a row, and a success in between forgives", () => {
    const breaker = createBreaker(options);
    breaker.enter(0)?.failed(0);
    breaker.enter(1)?.succeeded();
    breaker.enter(2)?.failed(2);
    expect(breaker.state(2)).toBe("closed");
    breaker.enter(3)?.failed(3);
    expect([breaker.state(3), breaker.enter(12.9), breaker.state(13)]).toEqual(["open", null, "half_open"]);
  });

  it("lets exactly one trial through; its success closes", () => {
    const breaker = opened();
    const trial = breaker.enter(10);
    expect([trial?.trial, breaker.enter(10), breaker.enter(1000), breaker.state(1000)]).toEqual([
      true,
      null,
      null,
      "half_open",
    ]);
    trial?.succeeded();
    expect([breaker.state(10), breaker.enter(10)?.trial]).toEqual(["closed", false]);
  });

  it("its failure opens it anew for the whole time", () => {
    const breaker = opened();
    breaker.enter(10)?.failed(12);
    expect([breaker.state(21.9), breaker.state(22)]).toEqual(["open", "half_open"]);
  });

  it("a trial that says nothing gives its place to another", () => {
    const breaker = opened();
    breaker.enter(10)?.abandoned();
    expect(breaker.enter(10)?.trial).toBe(true);
  });

  it("late words of calls from before it opened change nothing", () => {
    const breaker = createBreaker(options);
    const [early, other, third] = [breaker.enter(0), breaker.enter(0), breaker.enter(0)];
    early?.failed(0);
    other?.failed(0);
    const trial = breaker.enter(10);
    third?.succeeded();
    expect(breaker.state(10)).toBe("half_open");
    third?.failed(10);
    trial?.succeeded();
    trial?.failed(11);
    early?.failed(11);
    expect(breaker.state(11)).toBe("closed");
  });

  it("a late failure neither ends a trial nor counts against what came after it", () => {
    const breaker = createBreaker(options);
    const late = [0, 1, 2, 3].map(() => breaker.enter(0));
    late[0]?.failed(0);
    late[1]?.failed(0);
    const trial = breaker.enter(10);
    late[2]?.failed(10);
    expect([breaker.state(10), breaker.enter(10)]).toEqual(["half_open", null]);
    trial?.succeeded();
    late[3]?.failed(11);
    breaker.enter(11)?.failed(11);
    expect(breaker.state(11)).toBe("closed");
  });

  it("never has two trials under way, and is closed only by one that succeeded", () => {
    const act = fc.record({
      what: fc.constantFrom("enter", "succeeded", "failed", "abandoned"),
      which: fc.nat({ max: 20 }),
      passed: fc.nat({ max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (acts, failures) => {
        const breaker = createBreaker({ failures, cooldownS: 5 });
        const passes: BreakerPass[] = [];
        const trials = new Set<BreakerPass>();
        let now = 0;
        for (const { what, which, passed } of acts) {
          now += passed;
          const before = breaker.state(now);
          if (what === "enter") {
            const pass = breaker.enter(now);
            if (before === "closed") expect(pass?.trial).toBe(false);
            if (before === "open") expect(pass).toBeNull();
            if (before === "half_open") expect(pass === null).toBe(trials.size === 1);
            if (pass?.trial === true) trials.add(pass);
            if (pass !== null) passes.push(pass);
          } else {
            const pass = passes[which % Math.max(passes.length, 1)];
            if (pass === undefined) continue;
            if (what === "failed") pass.failed(now);
            else if (what === "succeeded") pass.succeeded();
            else pass.abandoned();
            const wasTrial = trials.delete(pass);
            const after = breaker.state(now);
            if (before !== "closed" && after === "closed")
              expect([wasTrial, what]).toEqual([true, "succeeded"]);
            if (before === "open") expect(after).toBe("open");
          }
          expect(trials.size).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});
