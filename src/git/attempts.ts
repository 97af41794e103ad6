/**
 * `refs/oxbow/attempts/<subtask>/<n>` keeps what attempt n saved, and is its fence: every commit of the attempt moves it,
 * in one transaction with the branch, from the value the attempt gave it. Whoever takes over seals it first, moving it
 * to a tag on what it held, and from then on nothing of the earlier attempt goes through.
 */
import { refComponent } from "../core/branch-name.ts";
import { hasCode } from "../core/errors.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { nowSeconds } from "./message.ts";
import { ATTEMPTS } from "./ref-transactions.ts";

export function attemptRef(subtaskId: string, attempt: number): string {
  return `${ATTEMPTS}${refComponent(subtaskId)}/${attempt}`;
}

/** Of a seal: whether the attempt had saved anything. */
const SAVED = "sealed";
const NOTHING = "sealed-without-work";

/** The work that an attempt's ref holds, sealed or not; null when nothing was saved. */
export async function workIn(engine: Engine, oid: Oid): Promise<Oid | null> {
  const seal = await engine.objects.tag(oid);
  return seal?.name === NOTHING ? null : (seal?.object ?? oid);
}

/** A tag on what the attempt's ref held (`old`), or on `base` where it held nothing; on no ref. */
export function writeSeal(
  { setup, commits }: Engine,
  sealed: { subtaskId: string; attempt: number; old: Oid | null; base: Oid },
): Promise<Oid> {
  const { subtaskId, attempt, old, base } = sealed;
  const { name, email } = setup.identity;
  return commits.writeObject(
    "tag",
    `object ${old ?? base}\ntype commit\ntag ${old === null ? NOTHING : SAVED}\n` +
      `tagger ${name} <${email}> ${nowSeconds()} +0000\n\nAttempt ${attempt} of ${subtaskId} was taken over.\n`,
  );
}

export interface Attempts {
  /** Ends every attempt before `attempt`; `base` is any commit, named by seals of attempts that saved nothing. */
  seal(subtaskId: string, attempt: number, base: Oid): Promise<void>;
  /** The newest work that an attempt before `attempt` saved, or null. */
  last(subtaskId: string, attempt: number): Promise<{ attempt: number; commit: Oid } | null>;
}

export function createAttempts(engine: Engine): Attempts {
  const sealOne = async (subtaskId: string, attempt: number, base: Oid): Promise<void> => {
    const ref = attemptRef(subtaskId, attempt);
    for (;;) {
      const old = await engine.readRef(ref);
      if (old !== null && (await engine.objects.tag(old)) !== null) return;
      const seal = await writeSeal(engine, { subtaskId, attempt, old, base });
      try {
        await engine.refs.apply([{ ref, old, new: seal }]);
        return;
      } catch (error) {
        // It saved something just now, or somebody else was faster.
        if (!hasCode(error, "fenced")) throw error;
      }
    }
  };

  return {
    async seal(subtaskId, attempt, base) {
      for (let n = attempt - 1; n > 0; n--) await sealOne(subtaskId, n, base);
    },
    async last(subtaskId, attempt) {
      for (let n = attempt - 1; n > 0; n--) {
        const oid = await engine.readRef(attemptRef(subtaskId, n));
        if (oid === null) continue;
        const commit = await workIn(engine, oid);
        if (commit !== null) return { attempt: n, commit };
      }
      return null;
    },
  };
}
