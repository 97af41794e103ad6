import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBudget } from "../../src/core/budget.ts";
import {
  askWords,
  type BudgetRow,
  budgetWords,
  checkAsk,
  limitOf,
  readAsk,
  restoreBudget,
  summaryOf,
} from "../../src/core/budget-saved.ts";

const row = (id: string, over: Partial<BudgetRow> = {}): BudgetRow => ({
  subtask_id: id,
  conversation_id: `c-${id}`,
  parent_conversation_id: null,
  open: true,
  account: { ask: {}, started_at: 0, spent: { tokens: 0, usd: 0 }, unpriced: false },
  ...over,
});

describe("a budget from rows", () => {
  it("is the one that lived, after any launches, calls and ends", () => {
    const step = fc.record({
      kind: fc.constantFrom("launch", "spend", "spend", "settle"),
      at: fc.nat({ max: 20 }),
      tokens: fc.integer({ min: 1, max: 40 }),
      usd: fc.integer({ min: 1, max: 30 }).map((n) => n / 10),
      limited: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
        const ask = { tokens: 200, usd: 20 };
        const lived = createBudget(limitOf(ask));
        const rows: BudgetRow[] = [];
        for (const { kind, at, tokens, usd, limited } of steps) {
          const chosen = rows[at % Math.max(1, rows.length)];
          if (kind === "launch") {
            const parent = at % 3 === 0 ? undefined : chosen;
            const id = `s${rows.length}`;
            const own = limited ? { tokens, usd } : {};
            const above = parent?.subtask_id ?? null;
            if (!lived.launch({ id, parent: above }, limitOf(own), 0).ok) continue;
            const account = { ask: own, started_at: 0, spent: { tokens: 0, usd: 0 }, unpriced: false };
            rows.push(row(id, { parent_conversation_id: parent?.conversation_id ?? null, account }));
          } else if (!chosen?.account) continue;
          else if (kind === "spend") {
            const known = at % 5 !== 0;
            lived.spend(chosen.subtask_id, { tokens, usd: known ? usd : null });
            const { spent, unpriced } = chosen.account;
            const now = { tokens: spent.tokens + tokens, usd: spent.usd + (known ? usd : 0) };
            const account = { ...chosen.account, spent: now, unpriced: unpriced || !known };
            rows[rows.indexOf(chosen)] = { ...chosen, account };
          } else if (
            !rows.some((each) => each.open && each.parent_conversation_id === chosen.conversation_id)
          ) {
            lived.settle(chosen.subtask_id);
            rows[rows.indexOf(chosen)] = { ...chosen, open: false };
          }
        }
        const { budget } = restoreBudget({ now: 0, ask, started_at: 0, rows: rows.toReversed() });
        for (const id of [null, ...rows.map(({ subtask_id }) => subtask_id)])
          expect(budget.state(id, 0)).toEqual(lived.state(id, 0));
      }),
    );
  });

  it("has a child ask the nearest above it that has started", () => {
    const rows = [
      row("a"),
      row("b", { parent_conversation_id: "c-a", account: null }),
      row("c", { parent_conversation_id: "c-b" }),
    ];
    const { parentOf } = restoreBudget({ now: 0, ask: null, started_at: null, rows });
    expect(["a", "b", "c"].map(parentOf)).toEqual([null, "a", "a"]);
  });

  it("begins to count time with the first start", () => {
    const saved = { now: 9_000, ask: { wall_ms: 1_000 }, rows: [] };
    expect(summaryOf({ ...saved, started_at: null }, []).left.wall_ms).toBe(1_000);
    expect(summaryOf({ ...saved, started_at: 8_700 }, []).left.wall_ms).toBe(700);
    expect(summaryOf({ ...saved, started_at: 1 }, []).left.wall_ms).toBe(0);
  });
});

describe("limits that were asked for", () => {
  it("are what of a value is a number by one of their names", () => {
    expect(readAsk({ usd: 1, tokens: "2", other: 3 })).toEqual({ usd: 1 });
    expect([readAsk({}), readAsk(null), readAsk(7), readAsk({ usd: undefined })]).toEqual(
      Array.from({ length: 4 }, () => null),
    );
  });

  it.each([0, -1, Number.NaN, Infinity])("are no %d", (usd) => {
    expect(() => checkAsk({ usd })).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("are told in words", () => {
    expect(askWords({ usd: 5, tokens: 2_000_000, wall_ms: 60_000 })).toBe("$5, 2,000,000 tokens, 60,000 ms");
    const left = { tokens: null, usd: null, wall_ms: null };
    const spent = { tokens: 1_200, usd: 0.25 };
    expect(
      budgetWords({ limit: { usd: 5, tokens: 2_000 }, spent, unpriced: true, left, refused: ["A::t::1"] }),
    ).toBe("$0.2500 of $5 (a price is not known), 1,200 of 2,000 tokens; too little was left for A::t::1");
    expect(budgetWords({ limit: {}, spent, unpriced: false, left, refused: [] })).toBe("of single children");
  });
});
