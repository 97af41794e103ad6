import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Budget, type BudgetLimit, createBudget } from "../../src/core/budget.ts";

const launch = (budget: Budget, id: string, ask: BudgetLimit, parent: string | null = null, now = 0) =>
  budget.launch({ id, parent }, ask, now);
const spend = (budget: Budget, id: string, tokens: number, usd: number | null = 0) =>
  budget.spend(id, { tokens, usd });

describe("a budget", () => {
  it("is reserved before a child starts, and what is not used is free again afterwards", () => {
    const budget = createBudget({ tokens: 100, usd: 0.3 });
    expect(launch(budget, "a", { tokens: 60, usd: 0.1 })).toMatchObject({ ok: true });
    expect(budget.state(null, 0)).toEqual({
      spent: { tokens: 0, usd: 0 },
      reserved: { tokens: 60, usd: 0.1 },
      left: { tokens: 40, usd: 0.2, wall_ms: null },
    });
    spend(budget, "a", 20, 0.1);
    expect(budget.state(null, 0)).toMatchObject({ spent: { tokens: 20 }, reserved: { tokens: 40, usd: 0 } });
    budget.settle("a");
    expect(budget.state(null, 0)).toMatchObject({
      reserved: { tokens: 0 },
      left: { tokens: 80, usd: 0.2 },
    });
  });

  it("refuses a child that would go over, and tells what is left", () => {
    const budget = createBudget({ tokens: 100, usd: 1 });
    launch(budget, "a", { tokens: 70, usd: 0.5 });
    expect(launch(budget, "b", { tokens: 31, usd: 0.5 })).toEqual({
      ok: false,
      code: "budget_exceeded",
      exceeded: ["tokens"],
      left: { tokens: 30, usd: 0.5, wall_ms: null },
      message: "b does not start: too little is left of tokens. There is left: 30 tokens, $0.5.",
    });
    expect(launch(budget, "b", { tokens: 30, usd: 0.5 }).ok).toBe(true);
    // Nothing is left to share either.
    expect(launch(budget, "c", {})).toMatchObject({ ok: false, exceeded: ["tokens", "usd"] });
  });

  it("is exact in dollars", () => {
    const budget = createBudget({ usd: 0.3 });
    expect(launch(budget, "a", { usd: 0.1 }).ok).toBe(true);
    expect(launch(budget, "b", { usd: 0.2 }).ok).toBe(true);
    expect(launch(budget, "c", {}).ok).toBe(false);
  });

  it("goes down the tree: a grandchild has at most what its parent has", () => {
    const budget = createBudget({ tokens: 100 });
    launch(budget, "child", { tokens: 50 });
    expect(launch(budget, "grandchild", { tokens: 60 }, "child")).toMatchObject({ left: { tokens: 50 } });
    expect(launch(budget, "grandchild", { tokens: 30 }, "child").ok).toBe(true);
    spend(budget, "grandchild", 30);
    expect(budget.mayCall("grandchild", 0)).toMatchObject({ ok: false, left: { tokens: 0 } });
    // What it used is its parent's use too, and the parent's own calls do not eat what is reserved.
    expect(budget.mayCall("child", 0)).toMatchObject({ ok: true, left: { tokens: 20 } });
    expect(budget.state(null, 0)).toMatchObject({ spent: { tokens: 30 }, left: { tokens: 50 } });
    launch(budget, "second", { tokens: 20 }, "child");
    expect(budget.mayCall("child", 0).ok).toBe(false);
    expect(budget.mayCall("second", 0).ok).toBe(true);
  });

  it("ends a branch as a whole, and counts what comes in late", () => {
    const budget = createBudget({ tokens: 100 });
    launch(budget, "child", { tokens: 50 });
    launch(budget, "grandchild", { tokens: 50 }, "child");
    budget.settle("child");
    budget.settle("child");
    expect(budget.mayCall("grandchild", 0)).toMatchObject({ ok: false, exceeded: [] });
    spend(budget, "grandchild", 60);
    expect(budget.state(null, 0)).toMatchObject({ spent: { tokens: 60 }, left: { tokens: 40 } });
    expect(launch(budget, "other", { tokens: 10 }, "child")).toMatchObject({ ok: false });
  });

  it("gives another attempt its own reservation, beside what the first one used", () => {
    const budget = createBudget({ tokens: 100 });
    launch(budget, "a", { tokens: 40 });
    expect(launch(budget, "a", { tokens: 40 })).toMatchObject({ ok: true, left: { tokens: 40 } });
    spend(budget, "a", 40);
    budget.settle("a");
    expect(launch(budget, "a", { tokens: 61 }).ok).toBe(false);
    expect(launch(budget, "a", { tokens: 60 })).toMatchObject({ ok: true, left: { tokens: 60 } });
    expect(budget.mayCall("a", 0).ok).toBe(true);
  });

  it("knows time: from the launch, shared by those who are at work at once", () => {
    const budget = createBudget({ wallMs: 1_000 }, 5_000);
    expect(launch(budget, "a", { wallMs: 1_000 }, null, 5_000).ok).toBe(true);
    expect(launch(budget, "b", { wallMs: 1_000 }, null, 5_000).ok).toBe(true);
    expect(launch(budget, "c", { wallMs: 600 }, null, 5_500)).toMatchObject({
      ok: false,
      exceeded: ["wall_ms"],
      left: { tokens: null, usd: null, wall_ms: 500 },
    });
    expect(launch(budget, "c", { wallMs: 200 }, null, 5_500).ok).toBe(true);
    expect(budget.mayCall("c", 5_699).ok).toBe(true);
    expect(budget.mayCall("c", 5_700)).toMatchObject({ ok: false, exceeded: ["wall_ms"] });
    expect(budget.mayCall("a", 6_000).ok).toBe(false);
  });

  it("in dollars cannot be kept for a model without a price, so nothing further starts under it", () => {
    const budget = createBudget({ usd: 5, tokens: 100 });
    launch(budget, "a", {});
    spend(budget, "a", 1, null);
    expect(budget.mayCall("a", 0)).toMatchObject({ ok: false, exceeded: ["usd"] });
    expect(launch(budget, "b", {})).toMatchObject({ ok: false, exceeded: ["usd"], left: { usd: 0 } });
    const free = createBudget({ tokens: 100 });
    launch(free, "a", {});
    spend(free, "a", 1, null);
    expect(free.mayCall("a", 0).ok).toBe(true);
  });

  it("without limits refuses nothing", () => {
    const budget = createBudget({});
    expect(launch(budget, "a", { tokens: 1e12, usd: 1e6, wallMs: 1e12 }).ok).toBe(true);
    spend(budget, "a", 1e12, 1e6);
    expect(launch(budget, "b", {})).toEqual({ ok: true, left: { tokens: null, usd: null, wall_ms: null } });
  });

  it("refuses amounts that are none, and children it does not know", () => {
    const budget = createBudget({});
    const usage = expect.objectContaining({ code: "usage" });
    expect(() => createBudget({ usd: Number.NaN })).toThrow(usage);
    expect(() => launch(budget, "a", { tokens: -1 })).toThrow(usage);
    expect(() => launch(budget, "a", {}, "nobody")).toThrow(usage);
    expect(() => budget.mayCall("nobody", 0)).toThrow(usage);
    launch(budget, "a", {});
    launch(budget, "b", {});
    expect(() => launch(budget, "b", {}, "a")).toThrow(usage);
  });
});

type Step =
  | {
      readonly kind: "launch";
      readonly parent: number;
      readonly tokens: number | null;
      readonly usd: number | null;
    }
  | { readonly kind: "begin" | "settle"; readonly child: number }
  | { readonly kind: "end"; readonly child: number; readonly tokens: number; readonly usd: number };

const pick = fc.nat({ max: 30 });
const cents = fc.integer({ min: 0, max: 40 }).map((n) => n / 10);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("launch" as const),
    parent: pick,
    tokens: fc.option(fc.integer({ min: 0, max: 40 })),
    usd: fc.option(cents),
  }),
  fc.record({ kind: fc.constantFrom("begin" as const, "begin" as const, "settle" as const), child: pick }),
  fc.record({ kind: fc.constant("end" as const), child: pick, tokens: fc.nat({ max: 30 }), usd: cents }),
);

/** Plays steps as an engine would: at most one call under way a child, and none that the budget refuses. */
function play(limit: BudgetLimit, steps: readonly Step[], look: (world: World) => void): void {
  const world: World = {
    budget: createBudget(limit),
    parents: new Map(),
    calls: new Set(),
    limits: new Map(),
  };
  world.limits.set(null, limit);
  for (const each of steps) {
    take(world, each);
    look(world);
  }
}

interface World {
  readonly budget: Budget;
  readonly parents: Map<string, string | null>;
  /** Children with a call under way. */
  readonly calls: Set<string>;
  /** What each was launched with. */
  readonly limits: Map<string | null, BudgetLimit>;
}

function take({ budget, parents, calls, limits }: World, each: Step): void {
  const ids = [...parents.keys()];
  const nth = (n: number): string | null => ids[n % Math.max(1, ids.length)] ?? null;
  if (each.kind === "launch") {
    const id = `c${ids.length}`;
    const parent = each.parent % 3 === 0 ? null : nth(each.parent);
    const ask = { tokens: each.tokens ?? undefined, usd: each.usd ?? undefined };
    if (!budget.launch({ id, parent }, ask, 0).ok) return;
    parents.set(id, parent);
    limits.set(id, ask);
    return;
  }
  const id = nth(each.child);
  if (id === null) return;
  if (each.kind === "settle") budget.settle(id);
  else if (each.kind === "begin" && !calls.has(id) && budget.mayCall(id, 0).ok) calls.add(id);
  else if (each.kind === "end" && calls.delete(id)) budget.spend(id, { tokens: each.tokens, usd: each.usd });
}

describe("over any tree and any order", () => {
  const limits = fc.record({
    tokens: fc.option(fc.integer({ min: 20, max: 120 }), { nil: undefined }),
    usd: fc.option(cents, { nil: undefined }),
  });
  const runs = fc.tuple(limits, fc.array(step, { minLength: 40, maxLength: 120, size: "max" }));

  it("no reservation is negative, nothing left is negative, and what is reserved was there", () => {
    fc.assert(
      fc.property(runs, ([limit, steps]) => {
        play(limit, steps, ({ budget, parents }) => {
          for (const id of [null, ...parents.keys()]) {
            const { reserved, left, spent } = budget.state(id, 0);
            for (const value of [
              reserved.tokens,
              reserved.usd,
              spent.tokens,
              spent.usd,
              left.tokens,
              left.usd,
            ])
              expect(value ?? 0).toBeGreaterThanOrEqual(0);
          }
        });
      }),
    );
  });

  it("nothing starts at or beyond a limit, so it is passed by the calls under way at most", () => {
    fc.assert(
      fc.property(runs, ([limit, steps]) => {
        let before = new Set<string>();
        play(limit, steps, ({ budget, parents, calls, limits: asked }) => {
          const begun = [...calls].filter((id) => !before.has(id));
          before = new Set(calls);
          for (const id of begun)
            for (
              let at: string | null | undefined = id;
              at !== undefined;
              at = at === null ? undefined : parents.get(at)
            ) {
              const { spent } = budget.state(at, 0);
              const { tokens = Infinity, usd = Infinity } = asked.get(at) ?? {};
              expect(spent.tokens).toBeLessThan(tokens);
              expect(spent.usd).toBeLessThan(usd);
            }
        });
      }),
    );
  });

  it("spent is at most the limit and one call for each child at work", () => {
    fc.assert(
      fc.property(runs, ([limit, steps]) => {
        /** Tokens of the calls that were under way when the limit was reached; it lets no other begin. */
        let last: ReturnType<Budget["state"]>["spent"] = { tokens: 0, usd: 0 };
        let under = 0;
        play(limit, steps, ({ budget, calls, parents }) => {
          const { spent } = budget.state(null, 0);
          const most = limit.tokens ?? Infinity;
          if (last.tokens < most && spent.tokens >= most) under = calls.size + 1;
          last = spent;
          // No call has more than 30 tokens.
          if (spent.tokens > most) expect(spent.tokens).toBeLessThanOrEqual(most + 30 * under);
          expect(under).toBeLessThanOrEqual(parents.size + 1);
        });
      }),
    );
  });

  it("what all accounts at the top have used is what the whole has used", () => {
    fc.assert(
      fc.property(runs, ([limit, steps]) => {
        play(limit, steps, ({ budget, parents }) => {
          const top = [...parents].filter(([, parent]) => parent === null).map(([id]) => id);
          const sum = top.reduce((total, id) => total + budget.state(id, 0).spent.tokens, 0);
          expect(budget.state(null, 0).spent.tokens).toBe(sum);
        });
      }),
    );
  });
});
