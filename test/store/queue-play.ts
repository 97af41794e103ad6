/** Random work at a queue, and what must hold after it. */
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Lease, Store } from "../../src/store/contract.ts";
import type { EventBody } from "../../src/core/events.ts";
import type { Subtask } from "../../src/core/model.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import type { TestDatabase } from "../support/store-engines.ts";

export const LEASE_MS = 1000;

export function cancelled(subtask: Subtask) {
  const event: EventBody = notice(subtask.task_id, `cancelled ${subtask.position}`);
  return {
    outcome: anOutcome(subtask, { outcome: "cancelled", commit: null }),
    signalPayload: "cancelled",
    event,
  };
}

const worker = fc.constantFrom("w1", "w2", "w3");
const which = fc.nat(5);
export const queueStep = fc.oneof(
  fc.record({ kind: fc.constant("claim" as const), worker }),
  fc.record({ kind: fc.constant("finish" as const), which }),
  fc.record({ kind: fc.constant("renew" as const), which }),
  fc.record({ kind: fc.constant("release" as const), which }),
  fc.record({ kind: fc.constant("time" as const), ms: fc.constantFrom(1, LEASE_MS / 2, LEASE_MS) }),
  fc.record({ kind: fc.constant("death" as const), worker }),
  fc.record({ kind: fc.constant("cancel" as const) }),
);
type Step = typeof queueStep extends fc.Arbitrary<infer T> ? T : never;

/** Plays the steps, one after the other or four at once, and then looks at what must hold either way. */
export async function playSteps(
  database: TestDatabase,
  steps: readonly Step[],
  atOnce: boolean,
): Promise<void> {
  const store = await database.open();
  await store.submit(aTask("t"), [...someChildren("t", 3), aChild("t", 4, { dependsOn: [1, 2] })], []);
  const leases: Lease[] = [];
  const finished: Lease[] = [];
  /** Until when each conversation's holder is safe from others. */
  const safe = new Map<string, number>();
  let cancelledCount = 0;

  const isNewest = (lease: Lease) =>
    leases.findLast((other) => other.conversation_id === lease.conversation_id) === lease;

  const perform = async (step: Step): Promise<void> => {
    const lease = "which" in step ? leases.at(-1 - step.which) : undefined;
    switch (step.kind) {
      case "time":
        database.clock.now += step.ms;
        return;
      case "death":
        await store.expireLeases(step.worker);
        for (const { worker_id, conversation_id } of leases) {
          if (worker_id === step.worker) safe.delete(conversation_id);
        }
        return;
      case "cancel": {
        const count = await store.finishUnstarted("t", cancelled);
        cancelledCount += count;
        return;
      }
      case "claim": {
        const got = await store.claim({ workerId: step.worker, leaseMs: LEASE_MS });
        if (!got) return;
        if (!atOnce) expect(safe.get(got.conversation_id) ?? 0).toBeLessThanOrEqual(database.clock.now);
        safe.set(got.conversation_id, database.clock.now + LEASE_MS);
        leases.push(got);
        return;
      }
      case "renew":
        if (lease && (await store.renew(lease, LEASE_MS)))
          safe.set(lease.conversation_id, database.clock.now + LEASE_MS);
        return;
      case "release":
        if (!lease) return;
        await store.release(lease);
        if (isNewest(lease)) safe.delete(lease.conversation_id);
        return;
      case "finish":
        if (!lease) return;
        if (
          await store.finish(lease, anOutcome(lease.subtask, { attempt: lease.attempt }), lease.token, [])
        ) {
          expect(atOnce || isNewest(lease)).toBe(true);
          finished.push(lease);
        }
    }
  };
  const wave = atOnce ? 4 : 1;
  for (let i = 0; i < steps.length; i += wave) await Promise.all(steps.slice(i, i + wave).map(perform));
  await promised(store, leases, finished, cancelledCount);
}

async function promised(
  store: Store,
  leases: Lease[],
  finished: Lease[],
  cancelledCount: number,
): Promise<void> {
  for (const of of Map.groupBy(leases, (lease) => lease.conversation_id).values()) {
    const tokens = of.map((lease) => lease.token).sort((a, b) => a - b);
    expect(tokens).toEqual(tokens.map((_, i) => i + 1));
    expect(of.map((lease) => lease.attempt)).toEqual(of.map((lease) => lease.token));
  }
  const outcomes = await store.outcomes("t");
  expect(outcomes).toHaveLength(finished.length + cancelledCount);
  expect(new Set(outcomes.map((outcome) => outcome.subtask_id)).size).toBe(outcomes.length);
  await store.relay();
  for (const { subtask_id, done_topic, state } of await store.subtasks("t")) {
    const outcome = outcomes.find((one) => one.subtask_id === subtask_id);
    const signals = await store.topics.read(done_topic, null, 10);
    expect(signals).toHaveLength(outcome ? 1 : 0);
    if (outcome) expect(state).toBe(outcome.outcome);
    else expect(["planned", "blocked", "running"]).toContain(state);
  }
}
