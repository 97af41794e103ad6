/** One provider's limiter with many runs, in virtual time: minutes of waiting pass in milliseconds. */
import { describe, expect, it } from "vitest";
import { createLimiter, limiterFor } from "../../src/agent/limiter.ts";
import type { Leave, Limiter } from "../../src/core/limiter.ts";
import { fixedWindow, type RateLimit, slidingWindow, tokenBucket } from "../support/rate-limits.ts";
import { virtualTime } from "../support/virtual-time.ts";

const never = new AbortController().signal;

interface Played {
  readonly taken: number;
  readonly refused: number;
  /** Seconds. */
  readonly took: number;
}

/** From 0 to 1, the same each time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}

/** Each run makes its requests one after another, as an agent does. */
async function play(options: {
  readonly limit: RateLimit;
  /** What the server says about how long to wait; null: nothing. */
  readonly says: (waitMs: number) => number | null;
  readonly runs: number;
  readonly requests: number;
  readonly latencyMs?: number;
  /** What a request takes on its way beyond that, at most: often little, now and then nearly all of it. */
  readonly unevenMs?: number;
  readonly answerMs?: number;
  /** Between the beginnings of two runs. */
  readonly startMs?: number;
}): Promise<Played> {
  const { limit, says, runs, requests, latencyMs = 5, unevenMs = 0, answerMs = 20, startMs = 0 } = options;
  const chance = dice(requests);
  const time = virtualTime();
  const limiter = createLimiter({ clock: time, random: () => 0.5 });
  let taken = 0;
  let refused = 0;
  let took = 0;
  const run = async (_: unknown, n: number): Promise<void> => {
    await time.sleep(n * startMs);
    for (let left = requests; left > 0; ) {
      const entered = await limiter.enter(900_000, never);
      if (entered.kind !== "leave") throw new Error(entered.kind);
      await time.sleep(latencyMs + chance() ** 3 * unevenMs);
      const wait = limit(time.now());
      if (wait === null) {
        taken++;
        left--;
        await time.sleep(answerMs);
        entered.leave.answered();
      } else {
        refused++;
        await time.sleep(latencyMs);
        entered.leave.limited(says(wait));
      }
    }
    took = time.now() / 1000;
  };
  const all = Promise.all(Array.from({ length: runs }, run));
  await time.drain();
  await all;
  return { taken, refused, took };
}

const LIMITS: Readonly<Record<string, () => RateLimit>> = {
  "a token bucket of 20": () => tokenBucket(20, 20),
  "a token bucket of 5": () => tokenBucket(20, 5),
  "a window of a second": () => fixedWindow(20, 1000),
  "a sliding second": () => slidingWindow(20, 1000),
};
const SAYINGS: Readonly<Record<string, (waitMs: number) => number | null>> = {
  "Retry-After in whole seconds": (ms) => Math.ceil(ms / 1000) * 1000,
  "retry-after-ms": (ms) => Math.ceil(ms),
  nothing: () => null,
};

/** Servers that take a burst after a pause, and say how long to wait, are used up; others nearly. */
const USED = 0.9;
const LESS: Readonly<Record<string, number>> = {
  // It takes 5 at once and says "in a second", which reads like a limit of 5 a second.
  "a token bucket of 5, Retry-After in whole seconds": 0.7,
  "a token bucket of 5, retry-after-ms": 0.85,
  "a token bucket of 5, nothing": 0.85,
};

describe("a limit of 20 requests a second", () => {
  const cases = Object.keys(LIMITS).flatMap((limit) => Object.keys(SAYINGS).map((saying) => [limit, saying]));

  it.each(cases)(
    "of %s, which says %s, is used by 100 runs, and none of them fails",
    async (name = "", saying = "") => {
      const limit = LIMITS[name];
      const says = SAYINGS[saying];
      if (limit === undefined || says === undefined) throw new Error("no such case");
      for (const [requests, answerMs] of [
        [20, 20],
        [20, 3000],
      ] as const) {
        const { taken, took, refused } = await play({ limit: limit(), says, runs: 100, requests, answerMs });
        expect(taken).toBe(2000);
        const least = LESS[`${name}, ${saying}`] ?? USED;
        expect(taken / (20 * (took - answerMs / 1000))).toBeGreaterThan(least);
        // 80 of them are those that all began at once.
        expect(refused).toBeLessThan(120);
      }
    },
  );

  it("is used to more than 90 % also when there is little to do", async () => {
    for (const requests of [1, 2, 3]) {
      for (const name of ["a token bucket of 20", "a window of a second", "a sliding second"]) {
        const limit = LIMITS[name]?.() ?? tokenBucket(20, 20);
        const says = SAYINGS["Retry-After in whole seconds"] ?? (() => null);
        const { taken, took } = await play({ limit, says, runs: 100, requests });
        expect(taken / (20 * took), `${name}, ${requests}`).toBeGreaterThan(USED);
      }
    }
  });

  it("is used to more than 90 % also when the runs begin one by one, and hardly come against it", async () => {
    for (const [name, limit] of Object.entries(LIMITS)) {
      if (name === "a token bucket of 5") continue;
      const says = SAYINGS["Retry-After in whole seconds"] ?? (() => null);
      const { taken, took } = await play({ limit: limit(), says, runs: 100, requests: 5, startMs: 40 });
      expect(taken / (20 * took), name).toBeGreaterThan(USED);
    }
  });

  it("is used to more than 90 % also when what goes out evenly comes in unevenly", async () => {
    for (const [name, limit] of Object.entries(LIMITS)) {
      if (name === "a token bucket of 5") continue;
      const says = SAYINGS["Retry-After in whole seconds"] ?? (() => null);
      for (const startMs of [0, 30]) {
        const run = { limit: limit(), says, runs: 100, requests: 4, startMs, unevenMs: 60 };
        const { taken, took } = await play(run);
        expect(taken / (20 * took), `${name}, ${startMs}`).toBeGreaterThan(USED);
      }
    }
  });

  it("is found again after it has changed", async () => {
    for (const [before, then] of [
      [20, 4],
      [4, 20],
    ] as const) {
      const [first, second] = [tokenBucket(before, 4), tokenBucket(then, 4)];
      const limit: RateLimit = (now) => (now < 30_000 ? first(now) : second(now));
      const { taken, took } = await play({ limit, says: Math.ceil, runs: 50, requests: 40 });
      const possible = before * 30 + then * (took - 30);
      // It is noticed only as fast as the rate may grow.
      expect(taken / possible).toBeGreaterThan(0.55);
    }
  });
});

const leave = async (limiter: Limiter, patienceMs = 60_000): Promise<Leave> => {
  const entered = await limiter.enter(patienceMs, never);
  if (entered.kind !== "leave") throw new Error(entered.kind);
  return entered.leave;
};

describe("a limiter", () => {
  it("holds nobody back until a server refuses, and does not hammer one that takes nothing", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time, random: () => 0.5 });
    await Promise.all(Array.from({ length: 1000 }, async () => (await leave(limiter)).answered()));
    let asked = 0;
    const hopeless = (async () => {
      while (time.now() < 60_000) {
        const mine = await leave(limiter, 1e9);
        asked++;
        mine.limited(0);
      }
    })();
    await time.drain();
    await hopeless;
    expect(asked).toBeLessThan(40);
  });

  it("goes on at the pace the server names where the very first requests are too many", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time });
    (await leave(limiter)).limited(50);
    const asked = Array.from({ length: 3 }, () => leave(limiter));
    await time.drain();
    for (const each of asked) (await each).limited(50);
    const last = leave(limiter);
    await time.drain();
    (await last).answered();
    expect(time.now()).toBeLessThan(500);
  });

  it("lets the patient wait as long as the server wants, and tells the others at once", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time });
    const first = await leave(limiter);
    const waiting = [await leave(limiter), await leave(limiter)];
    first.limited(3_600_000);
    expect(await limiter.enter(900_000, never)).toEqual({ kind: "too_long", waitMs: 3_600_000 });
    const patient = limiter.enter(7_200_000, never);
    const late = limiter.enter(3_700_000, never);
    // Another word makes it longer for those who wait already.
    waiting[0]?.limited(4_000_000);
    expect(await late).toEqual({ kind: "too_long", waitMs: 4_000_000 });
    await time.drain();
    expect(await patient).toMatchObject({ kind: "leave" });
    expect(time.now()).toBe(4_000_000);
  });

  it("takes whoever is cancelled out of the queue", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time });
    (await leave(limiter)).limited(1000);
    const stop = new AbortController();
    const cancelled = limiter.enter(60_000, stop.signal);
    const next = limiter.enter(60_000, never);
    stop.abort(new Error("cancelled"));
    await expect(cancelled).rejects.toThrow("cancelled");
    await time.drain();
    expect((await next).kind).toBe("leave");
    expect(time.now()).toBe(1000);
    await expect(limiter.enter(1, stop.signal)).rejects.toThrow("cancelled");
  });

  it("lets exactly one through to a provider that is down, and tells the others how that ended", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time, breaker: { failures: 3, cooldownS: 5 } });
    const failing = [await leave(limiter), await leave(limiter), await leave(limiter), await leave(limiter)];
    expect(failing.map((each) => each.failed("500", null))).toEqual([null, null, "open", null]);
    const [trial, ...others] = Array.from({ length: 5 }, () => limiter.enter(60_000, never));
    await time.drain();
    expect(time.now()).toBe(5000);
    const tried = await trial;
    if (tried?.kind !== "leave") throw new Error("no trial");
    expect(tried.leave.trial).toBe(true);
    expect(tried.leave.failed("still 500", null)).toBe("open");
    for (const other of others) expect(await other).toEqual({ kind: "unavailable", reason: "still 500" });

    const again = limiter.enter(60_000, never);
    const behind = limiter.enter(60_000, never);
    await time.drain();
    expect(time.now()).toBe(10_000);
    const second = await again;
    if (second.kind !== "leave") throw new Error("no trial");
    expect(second.leave.answered()).toBe("closed");
    expect(second.leave.failed("too late", null)).toBeNull();
    expect(await behind).toMatchObject({ kind: "leave", leave: { trial: false } });
  });

  it("lets another try where the trial was given up", async () => {
    const time = virtualTime();
    const limiter = createLimiter({ clock: time, breaker: { failures: 1, cooldownS: 5 } });
    (await leave(limiter)).failed("gone", null);
    const trial = limiter.enter(60_000, never);
    const next = limiter.enter(60_000, never);
    await time.drain();
    const first = await trial;
    if (first.kind === "leave") first.leave.abandoned();
    await time.drain();
    expect(await next).toMatchObject({ kind: "leave", leave: { trial: true } });
  });

  it("is one for a server and a key, whatever the path", () => {
    const at = (url: string, key: string | null) => limiterFor(new URL(url), key);
    expect(at("https://a.example/v1", "k")).toBe(at("https://a.example/v2/", "k"));
    expect(at("https://a.example/v1", "k")).not.toBe(at("https://a.example/v1", "other"));
    expect(at("https://a.example/v1", "k")).not.toBe(at("https://b.example/v1", "k"));
  });
});
