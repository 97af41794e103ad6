/**
 * Waiting for a clone of the pool, first come, first served: within a process in a row, between processes by tickets,
 * `<state>/workspaces/<repository>.wait/<time-ordered id>.<pid>.<start time>.<host>`. Only the first of a process's row has
 * one, and the oldest ticket of a live process is next.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { newId } from "../host/ids.ts";
import { cancelled } from "./command.ts";
import type { Setup } from "./setup.ts";
import { poolName } from "./slots.ts";
import { isOwned, names, newWorkspaceName, workspacesDir } from "./workspace-home.ts";

export interface SlotQueue {
  /** At once, when there is one and nobody waits; else null. */
  now<T>(take: () => Promise<T | null>): Promise<T | null>;
  /** Waits for its turn, then until `take` gives something. `idle` is called now and then. Throws cancelled. */
  turn<T>(take: () => Promise<T | null>, idle: () => Promise<void>, signal?: AbortSignal): Promise<T>;
  /** One of ours was given back. */
  ring(): void;
}

/** How soon a clone is noticed that another process gave back. */
const LOOK_MS = 100;

export function createSlotQueue(setup: Setup): SlotQueue {
  const dir = path.join(workspacesDir(setup), `${poolName(setup)}.wait`);
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let rung = new AbortController();

  /** The oldest ticket of a process that lives; those of dead ones go. */
  const first = async (): Promise<string | null> => {
    for (const name of [...(await names(dir))].sort()) {
      const file = path.join(dir, name);
      if (await isOwned(ownerIn(name), file)) return name;
      await rm(file, { force: true });
    }
    return null;
  };

  const untilRung = async (signal: AbortSignal | undefined): Promise<void> => {
    const either = AbortSignal.any([rung.signal, ...(signal === undefined ? [] : [signal])]);
    await pause(LOOK_MS, undefined, { signal: either }).catch(() => undefined);
  };

  const head = async <T>(
    take: () => Promise<T | null>,
    idle: () => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const ticket = `${newId("t")}.${newWorkspaceName()}`;
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, ticket), "");
    try {
      for (;;) {
        if (signal?.aborted === true) throw cancelled();
        const bell = rung.signal;
        const found = (await first()) === ticket ? await take() : null;
        if (found !== null) return found;
        await idle();
        if (!bell.aborted) await untilRung(signal);
      }
    } finally {
      await rm(path.join(dir, ticket), { force: true });
    }
  };

  return {
    now: async (take) => (waiting > 0 || (await first()) !== null ? null : take()),
    turn(take, idle, signal) {
      waiting += 1;
      let begun = false;
      const mine = last.then(() => {
        if (signal?.aborted === true) throw cancelled();
        begun = true;
        return head(take, idle, signal);
      });
      // Whoever comes next waits for this one's end, however it ended; its own caller hears of a failure.
      last = mine.catch(() => undefined);
      return unlessAborted(mine, () => !begun, signal).finally(() => (waiting -= 1));
    },
    ring() {
      rung.abort();
      rung = new AbortController();
    },
  };
}

function ownerIn(ticket: string): string {
  return ticket.slice(ticket.indexOf(".") + 1);
}

/** Rejects at the abort while it `may`: what has begun comes to its own end. */
function unlessAborted<T>(work: Promise<T>, may: () => boolean, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const aborted = () => {
      if (may()) reject(cancelled());
    };
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
