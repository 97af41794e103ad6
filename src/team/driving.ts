/** One process carries a task to its end: it alone cancels the rest, merges and writes the task's state. */
import type { Driver } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { renewalMs } from "./leases.ts";

export interface Drive extends AsyncDisposable {
  /** Aborts when another process carries the task now. */
  readonly lost: AbortSignal;
  /** Asked before an effect, since this process may have stood still. Throws task_active. */
  confirm(): Promise<void>;
}

export function newDriver(engine: Engine, shared: boolean): Driver {
  return {
    holder: `${engine.workerId}:${engine.newId("d")}`,
    ttlMs: engine.settings.oxbowLeaseMs,
    shared,
  };
}

/** Throws task_active when another live process carries the task. */
export async function takeDrive(engine: Engine, taskId: string, driver: Driver): Promise<Drive> {
  const { store } = engine;
  const { holder } = driver;
  const confirm = async () => {
    const other = await store.drive(taskId, driver);
    if (other === holder) return;
    if (other === null)
      throw new OxbowError("task_active", `Another process has brought the task ${taskId} to its end.`);
    if (!engine.workerIsDead(other)) throw carriedBy(taskId, other);
    await store.stopDriving(taskId, other);
    await confirm();
  };
  await confirm();
  const lost = new AbortController();
  let renewing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    renewing = store.drive(taskId, driver).then(
      (other) => {
        if (other !== holder) lost.abort(STOP.leaseLost);
      },
      // The next renewal tries again; whoever took over meanwhile is met before any effect.
      (error: unknown) => engine.log.error({ task_id: taskId, error: String(error) }, "drive_not_renewed"),
    );
  }, renewalMs(driver.ttlMs));
  return {
    lost: lost.signal,
    confirm,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await renewing;
      await store.stopDriving(taskId, holder);
    },
  };
}

function carriedBy(taskId: string, holder: string): OxbowError {
  const [host, pid] = holder.split(":");
  return new OxbowError(
    "task_active",
    `The task ${taskId} is carried by another process (${pid} on ${host}).`,
  );
}
