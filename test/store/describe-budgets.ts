/** What every engine keeps of a budget: reserved in turns, counted whoever holds the subtask, and right after any crash. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BudgetAsk, restoreBudget } from "../../src/core/budget-saved.ts";
import { donePayload } from "../../src/team/outcome.ts";
import type { NewChild, Store } from "../../src/store/contract.ts";
import { aChild, anOutcome, aTask, notice } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const TASK = "t1";

function child(n: number, ask: BudgetAsk = {}, parent: NewChild | null = null): NewChild {
  const made = aChild(TASK, n);
  const above = parent?.subtask.conversation_id ?? null;
  return { ...made, subtask: { ...made.subtask, budget: ask, parent_conversation_id: above } };
}

export function describeBudgets(name: string, open: OpenDatabase): void {
  describe(`budgets on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    const submit = (ask: BudgetAsk | null, ...children: NewChild[]) =>
      store.submit(aTask(TASK, { options: ask === null ? {} : { budget: { ...ask } } }), children, []);
    const state = async (subtaskId: string | null = null) => {
      const saved = await store.budgets.read(TASK);
      if (!saved) throw new Error("There is no budget.");
      return restoreBudget(saved).budget.state(subtaskId, saved.now);
    };
    const end = async ({ subtask }: NewChild, from = store) => {
      const lease = await from.claim({ workerId: "w", agents: [subtask.agent], leaseMs: 60_000 });
      if (!lease) throw new Error("Nothing to claim.");
      const outcome = anOutcome(lease.subtask);
      await from.finish(lease, outcome, donePayload(outcome), [notice(TASK, "ended")]);
    };

    it("has nothing to say of a task without one", async () => {
      await store.submit(aTask(TASK), [aChild(TASK, 1)], []);
      expect(await store.budgets.read(TASK)).toBeNull();
    });

    it("is reserved before a child starts, and free again when it has ended", async () => {
      const [a, b] = [child(1, { tokens: 60, usd: 0.1 }), child(2, { tokens: 50 })];
      await submit({ tokens: 100, usd: 0.3 }, a, b);
      expect(await store.budgets.launch(a.subtask)).toMatchObject({ ok: true, left: { tokens: 60 } });
      await store.budgets.spend(TASK, a.subtask.subtask_id, { tokens: 20, usd: 0.1 });
      expect(await state()).toEqual({
        spent: { tokens: 20, usd: 0.1 },
        reserved: { tokens: 40, usd: 0 },
        left: { tokens: 40, usd: 0.2, wall_ms: null },
      });
      expect(await store.budgets.launch(b.subtask)).toMatchObject({
        ok: false,
        exceeded: ["tokens"],
        left: { tokens: 40 },
      });
      await end(a);
      expect(await state()).toMatchObject({ reserved: { tokens: 0 }, left: { tokens: 80 } });
      expect(await store.budgets.launch(b.subtask)).toMatchObject({ ok: true, left: { tokens: 50 } });
    });

    it("keeps what a child has when it starts again, and refuses it when nothing of that is left", async () => {
      const a = child(1, { tokens: 60 });
      await submit({ tokens: 100 }, a);
      await store.budgets.launch(a.subtask);
      await store.budgets.spend(TASK, a.subtask.subtask_id, { tokens: 50, usd: null });
      const other = await database.open();
      expect(await other.budgets.launch(a.subtask)).toMatchObject({ ok: true, left: { tokens: 10 } });
      await other.budgets.spend(TASK, a.subtask.subtask_id, { tokens: 10, usd: null });
      expect(await store.budgets.launch(a.subtask)).toMatchObject({ ok: false, exceeded: ["tokens"] });
    });

    it("stays with grandchildren whose parent has ended", async () => {
      const a = child(1, { tokens: 60 });
      await submit({ tokens: 100 }, a);
      await store.budgets.launch(a.subtask);
      const lease = await store.claim({ workerId: "w", leaseMs: 60_000 });
      if (!lease) throw new Error("Nothing to claim.");
      const below = child(2, { tokens: 30 }, a);
      await store.addChildren(TASK, [below], [], lease);
      expect(await store.budgets.launch(child(9, { tokens: 70 }, a).subtask)).toMatchObject({ ok: false });
      expect(await store.budgets.launch(below.subtask)).toMatchObject({ ok: true, left: { tokens: 30 } });
      const outcome = anOutcome(lease.subtask);
      await store.finish(lease, outcome, donePayload(outcome), []);
      await store.budgets.spend(TASK, below.subtask.subtask_id, { tokens: 10, usd: 0 });
      expect(await state(a.subtask.subtask_id)).toMatchObject({
        spent: { tokens: 10 },
        reserved: { tokens: 20 },
      });
      expect(await state()).toMatchObject({ spent: { tokens: 10 }, reserved: { tokens: 50 } });
    });

    it("counts wall time from the first start, and anew when a person gives more", async () => {
      const [a, b] = [child(1), child(2)];
      await submit({ wall_ms: 60_000 }, a, b);
      expect((await state()).left.wall_ms).toBe(60_000);
      await store.budgets.launch(a.subtask);
      const first = (await state()).left.wall_ms ?? 0;
      expect(first).toBeLessThanOrEqual(60_000);
      expect(await store.budgets.set(TASK, { wall_ms: 90_000, usd: 2 })).toEqual({ wall_ms: 90_000, usd: 2 });
      expect((await state()).left.usd).toBe(2);
      expect((await state()).left.wall_ms).toBeGreaterThan(60_000);
      const saved = await store.budgets.read(TASK);
      const later = (saved?.now ?? 0) + 91_000;
      expect(saved && restoreBudget(saved).budget.mayCall(a.subtask.subtask_id, later)).toMatchObject({
        ok: false,
        exceeded: ["wall_ms"],
      });
    });

    it("can be given to a task that had none, for what starts from then on", async () => {
      const a = aChild(TASK, 1);
      await store.submit(aTask(TASK), [a], []);
      await store.budgets.set(TASK, { tokens: 10 });
      const [now] = await store.subtasks(TASK);
      expect(now?.budget).toEqual({});
      if (now) expect(await store.budgets.launch(now)).toMatchObject({ ok: true, left: { tokens: 10 } });
    });

    it("goes with its task", async () => {
      const a = child(1);
      await submit({ tokens: 10 }, a);
      await store.budgets.launch(a.subtask);
      await end(a);
      await store.relay();
      await store.setTaskState(TASK, "completed", []);
      expect(await store.forget(TASK)).toBe(true);
      expect(await store.budgets.read(TASK)).toBeNull();
    });

    it("is never given twice, however many processes ask at once", async () => {
      const children = Array.from({ length: 12 }, (_, i) => child(i + 1, { tokens: 30 }));
      await submit({ tokens: 100 }, ...children);
      const others = await Promise.all([database.open(), database.open(), database.open()]);
      const verdicts = await Promise.all(
        children.map(({ subtask }, i) => (others[i % others.length] ?? store).budgets.launch(subtask)),
      );
      expect(verdicts.filter(({ ok }) => ok)).toHaveLength(3);
      expect(await state()).toMatchObject({ reserved: { tokens: 90 }, left: { tokens: 10 } });
    });

    it("is passed by at most the one call that each child at work has under way", async () => {
      const call = 25;
      const plan = fc.record({
        limit: fc.integer({ min: 20, max: 200 }),
        asks: fc.array(fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }), {
          minLength: 3,
          maxLength: 6,
        }),
        calls: fc.array(fc.integer({ min: 1, max: call }), { minLength: 4, maxLength: 8 }),
      });
      let n = 0;
      await fc.assert(
        fc.asyncProperty(plan, async ({ limit, asks, calls }) => {
          const taskId = `race-${n++}`;
          const made = asks.map((tokens, i): NewChild => {
            const one = aChild(taskId, i + 1);
            return { ...one, subtask: { ...one.subtask, budget: tokens === undefined ? {} : { tokens } } };
          });
          await store.submit(
            aTask(taskId, { ticket: taskId, options: { budget: { tokens: limit } } }),
            made,
            [],
          );
          const work = async ({ subtask }: NewChild, through: Store) => {
            if (!(await through.budgets.launch(subtask)).ok) return false;
            for (const tokens of calls) {
              const saved = await through.budgets.read(taskId);
              if (!saved) throw new Error("There is no budget.");
              const { budget } = restoreBudget(saved);
              const { reserved } = budget.state(null, saved.now);
              expect(reserved.tokens).toBeGreaterThanOrEqual(0);
              if (!budget.mayCall(subtask.subtask_id, saved.now).ok) break;
              await through.budgets.spend(taskId, subtask.subtask_id, { tokens, usd: 0 });
            }
            return true;
          };
          const second = await database.open();
          const ran = await Promise.all(made.map((one, i) => work(one, i % 2 === 0 ? store : second)));
          const saved = await store.budgets.read(taskId);
          if (!saved) throw new Error("There is no budget.");
          const { budget } = restoreBudget(saved);
          const started = ran.filter(Boolean).length;
          expect(budget.state(null, saved.now).spent.tokens).toBeLessThan(limit + call * started);
          asks.forEach((tokens, i) => {
            const id = made[i]?.subtask.subtask_id ?? "";
            if (ran[i] === true && tokens !== undefined)
              expect(budget.state(id, saved.now).spent.tokens).toBeLessThan(tokens + call);
          });
          await second[Symbol.asyncDispose]();
        }),
        { numRuns: 8 },
      );
    });
  });
}
