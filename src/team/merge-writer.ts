/** The one writer of a target: a lease in the store, renewed, and a fence in Git that every landing is checked against. */
import { setTimeout as delay } from "node:timers/promises";
import { OxbowError } from "../core/errors.ts";
import type { MergeDesk } from "../git/merge-desk.ts";
import type { MergeLease } from "../store/merges.ts";
import type { Engine } from "./engine.ts";
import { renewalMs } from "./leases.ts";
import { repeatedly } from "./repeatedly.ts";

export interface MergeWriter extends AsyncDisposable {
  readonly lease: MergeLease;
  readonly desk: MergeDesk;
  readonly fence: string;
}

/** How often to look whether another writer is done, milliseconds. */
const LOOK_MS = 250;

/**
 * Waits while another process writes; one that died, or stood still for longer than its lease, is taken over. `at` is any
 * commit. Throws fenced when another was faster after all; cancelled when `signal` aborts first.
 */
export async function openMergeWriter(
  engine: Engine,
  target: string,
  at: string,
  signal: AbortSignal,
): Promise<MergeWriter> {
  const { merges } = engine.store;
  const ttlMs = engine.settings.oxbowLeaseMs;
  const holder = `${engine.workerId}:${engine.newId("w")}`;
  const lease = await takeTarget(engine, target, holder, signal);
  const renewing = repeatedly(
    renewalMs(ttlMs),
    async () => void (await merges.renew(lease, ttlMs)),
    // The next renewal tries again; whoever took over meanwhile is met before any effect.
    (error) => engine.log.error({ target, error: String(error) }, "merge_lease_not_renewed"),
  );
  const desk = await engine.repo.mergeDesk();
  const fence = await desk.fence(target, `${holder} ${lease.token}`, at);
  const close = async () => {
    renewing.stop();
    if (fence !== null) await desk.unfence(target, fence);
    await merges.release(lease);
  };
  try {
    // Whoever has taken over by now has a fence of its own, or makes one after this.
    await merges.confirm(lease);
    if (fence === null)
      throw new OxbowError("fenced", `Another process merges into ${target} now.`, { details: { target } });
  } catch (error) {
    await close();
    throw error;
  }
  return { lease, desk, fence, [Symbol.asyncDispose]: close };
}

async function takeTarget(
  engine: Engine,
  target: string,
  holder: string,
  signal: AbortSignal,
): Promise<MergeLease> {
  const { merges } = engine.store;
  for (;;) {
    const taken = await merges.take(target, holder, engine.settings.oxbowLeaseMs);
    if ("lease" in taken) return taken.lease;
    if (signal.aborted) throw new OxbowError("cancelled", `Cancelled while others merged into ${target}.`);
    const worker = taken.holder.slice(0, taken.holder.lastIndexOf(":"));
    if (engine.workerIsDead(worker)) await merges.release({ target, holder: taken.holder });
    else await delay(LOOK_MS);
  }
}
