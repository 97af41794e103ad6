/** Requests that wait for an answer, on any engine. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Approval } from "../../src/core/model.ts";
import { MAX_APPROVALS, type NewApproval } from "../../src/store/approvals.ts";
import type { Lease, Store } from "../../src/store/contract.ts";
import { aTask, notice, someChildren } from "../support/store-data.ts";
import type { OpenDatabase, TestDatabase } from "../support/store-engines.ts";

const wanted = (id: string, ...paths: string[]): NewApproval => ({
  approval_id: id,
  paths,
  reason: "Because – ✓",
  owner: "Web",
  person: null,
});
const told = ({ approval_id, state }: Approval) => notice("t1", `${approval_id} ${state}`);

const never = () => {
  throw new Error("A request beyond a scope ends nothing.");
};

export function describeApprovals(name: string, open: OpenDatabase): void {
  let database: TestDatabase;
  let store: Store;
  let lease: Lease;
  beforeEach(async () => {
    database = await open();
    store = await database.open();
    await store.submit(aTask("t1"), someChildren("t1", 2), []);
    const claimed = await store.claim({ workerId: "w", taskId: "t1", leaseMs: 60_000 });
    if (!claimed) throw new Error("nothing to claim");
    lease = claimed;
  });
  afterEach(() => database[Symbol.asyncDispose]());
  const said = async () =>
    (await store.events("t1", null, 500)).flatMap((event) => ("message" in event ? [event.message] : []));

  describe(`approvals on ${name}`, () => {
    it("keep a request with its event, and find it again when the same is asked", async () => {
      const made = await store.approvals.request(lease, wanted("a1", "x", "y/**"), told);
      expect(made).toMatchObject({
        approval_id: "a1",
        task_id: "t1",
        subtask_id: lease.subtask.subtask_id,
        agent: "Api",
        state: "open",
        paths: ["x", "y/**"],
        reason: "Because – ✓",
        owner: "Web",
        decided_by: null,
      });
      expect(await store.approvals.request(lease, wanted("a2", "y/**", "x"), told)).toEqual(made);
      expect(await store.approvals.get("a1")).toEqual(made);
      expect(await store.approvals.get("a2")).toBeNull();
      await store.approvals.request(lease, wanted("a3", "x"), told);
      expect(
        (await store.approvals.list({ taskId: "t1", state: "open" })).map((each) => each.approval_id),
      ).toEqual(["a1", "a3"]);
      expect(await store.approvals.list({ taskId: "t2" })).toEqual([]);
      expect(await said()).toEqual(["a1 open", "a3 open"]);
    });

    it("are decided by whoever is first; everybody else hears who it was", async () => {
      await store.approvals.request(lease, wanted("a1", "x"), told);
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.approvals.decide(
            "a1",
            { state: i % 2 === 0 ? "granted" : "denied", decidedBy: `p${i}`, answer: `${i}` },
            told,
            never,
          ),
        ),
      );
      const winners = answers.filter((answer) => answer?.first);
      expect(winners).toHaveLength(1);
      for (const answer of answers) expect(answer?.approval).toEqual(winners[0]?.approval);
      expect(await store.approvals.get("a1")).toEqual(winners[0]?.approval);
      expect(await said()).toEqual(["a1 open", `a1 ${winners[0]?.approval.state}`]);
      await store.approvals.escalate("a1", told);
      expect((await store.approvals.get("a1"))?.owner).toBe("Web");
      expect(
        await store.approvals.decide("a9", { state: "denied", decidedBy: "p", answer: "" }, told, never),
      ).toBeNull();
    });

    it("can be put to the window person while they are open", async () => {
      await store.approvals.request(lease, wanted("a1", "x"), told);
      await store.approvals.escalate("a1", told);
      expect(await store.approvals.get("a1")).toMatchObject({ owner: null, state: "open" });
      await store.approvals.escalate("a9", told);
      expect(await said()).toEqual(["a1 open", "a1 open"]);
    });

    it("are refused to whom the conversation was taken from, and beyond their number", async () => {
      for (let i = 0; i < MAX_APPROVALS; i++)
        await store.approvals.request(lease, wanted(`a${i}`, `p${i}`), told);
      const more = store.approvals.request(lease, wanted("b", "q"), told);
      await expect(more).rejects.toMatchObject({ code: "limit_exceeded" });
      await store.expireLeases("w");
      await store.claim({ workerId: "other", taskId: "t1", leaseMs: 60_000 });
      const stale = store.approvals.request(lease, wanted("c", "r"), told);
      await expect(stale).rejects.toMatchObject({ code: "fenced" });
    });
  });
}
