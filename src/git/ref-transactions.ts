/**
 * Moves refs in transactions through one `git update-ref --stdin` that stays open. What is queued at the same time goes in
 * one transaction; when that fails, each is tried alone, so that every caller gets its own verdict.
 */
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { LongProcess } from "../host/process.ts";
import { type GitSite, gitFailed, startGit } from "./command.ts";
import type { Oid, RefChange } from "./contract.ts";
import type { LockNote, Locks } from "./ledger-locks.ts";

/** Below it each attempt has a ref, which is its fence too. */
export const ATTEMPTS = "refs/oxbow/attempts/";
/** One for each target of a merge queue that is at work: the fence of its writer. */
export const QUEUES = "refs/oxbow/queues/";
const MAX_BATCH = 32;
/**
 * Refs are the ledger: a new log beside each (with its directories) would cost as much as the ref. Existing logs go on.
 * Nobody reads a warning that a ref is named like an object id, and git looks in six places, twice, for each id it is given.
 */
const UPDATE_REF = [
  "-c",
  "core.logAllRefUpdates=false",
  "-c",
  "core.warnAmbiguousRefs=false",
  "update-ref",
  "--no-deref",
  "--stdin",
  "-z",
];
const LOCK_RETRIES = 5;

export interface RefTransactions {
  /** All or nothing. Throws branch_moved, branch_conflict, fenced (an attempt's ref was moved by its successor), git_failed. */
  apply(changes: readonly RefChange[]): Promise<void>;
  close(): Promise<void>;
}

interface Job {
  readonly changes: readonly RefChange[];
  done(): void;
  fail(error: unknown): void;
}

export function createRefTransactions(
  site: GitSite,
  zero: string,
  readRef: (ref: string) => Promise<Oid | null>,
  locks: Locks,
): RefTransactions {
  const session = createSession(site, zero, locks);
  let queue: Job[] = [];
  let running: Promise<void> | null = null;

  const runBatch = async (batch: readonly Job[]): Promise<void> => {
    const failure = await session.transact(batch.flatMap((job) => job.changes));
    if (failure === null) {
      for (const job of batch) job.done();
      return;
    }
    for (const job of batch) await runAlone(job, batch.length === 1 || failure === "" ? failure : null);
  };

  /** `failure`: of a try just made. A lock that another process holds is waited for; one of a dead process is cleared. */
  const runAlone = async (job: Job, failure: string | null): Promise<void> => {
    let words = failure ?? (await session.transact(job.changes));
    if (words === "") {
      // Killed, before or after the refs moved: what they say now tells which.
      if (await isApplied(job.changes)) words = null;
      else words = await session.transact(job.changes);
    }
    for (let i = 1; i < LOCK_RETRIES && words !== null && isLocked(words); i++) {
      if ((await locks.clear()).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** i));
      words = await session.transact(job.changes);
    }
    if (words === null) job.done();
    else job.fail(refusal(words, job.changes));
  };

  const isApplied = async (changes: readonly RefChange[]): Promise<boolean> => {
    const moves = changes.filter((change) => change.new !== undefined);
    const now = await Promise.all(moves.map((change) => readRef(change.ref)));
    return moves.length > 0 && moves.every((change, i) => change.new === now[i]);
  };

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      const { batch, rest } = nextBatch(queue);
      queue = rest;
      try {
        await runBatch(batch);
      } catch (error) {
        for (const job of batch) job.fail(error);
      }
    }
    running = null;
  };

  return {
    apply(changes) {
      return new Promise<void>((resolve, reject) => {
        checkNames(changes);
        queue.push({ changes, done: resolve, fail: reject });
        running ??= new Promise<void>((started) => setImmediate(started)).then(work);
      });
    },
    async close() {
      await running;
      await session.close();
    },
  };
}

function checkNames(changes: readonly RefChange[]): void {
  for (const { ref } of changes) {
    if (!/^refs\/[^\0\n]+$/.test(ref))
      throw new OxbowError("git_failed", `${JSON.stringify(ref)} is not a full ref.`);
  }
}

/** A transaction may name a ref once: the batch ends before the job that names one again. */
function nextBatch(queue: readonly Job[]): { batch: Job[]; rest: Job[] } {
  const seen = new Set<string>();
  const batch: Job[] = [];
  for (const job of queue) {
    if (batch.length >= MAX_BATCH || job.changes.some((change) => seen.has(change.ref))) break;
    for (const change of job.changes) seen.add(change.ref);
    batch.push(job);
  }
  return { batch, rest: queue.slice(batch.length) };
}

function commands(changes: readonly RefChange[], zero: string): string[] {
  return changes.map(({ ref, old, new: next }) => {
    if (next === undefined) return `verify ${ref}\0${old ?? zero}\0`;
    return next === null ? `delete ${ref}\0${old ?? zero}\0` : `update ${ref}\0${next}\0${old ?? zero}\0`;
  });
}

/** One kept-open process. `transact` gives null, git's words when it was refused (nothing moved), or "" when the process was killed. */
function createSession(site: GitSite, zero: string, locks: Locks) {
  let process: LongProcess | null = null;
  let note: LockNote | null = null;
  let settle: ((ok: boolean) => void) | null = null;
  let text = "";
  const finish = (ok: boolean): void => {
    text = "";
    settle?.(ok);
    settle = null;
  };
  const start = (): LongProcess => {
    const started = startGit(site, UPDATE_REF);
    const noted = (note = locks.open(started.pid));
    started.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (!text.includes("commit: ok\n")) return;
      noted.end();
      finish(true);
    });
    // A refusal ends the process; its words are in stderr by then.
    void started.exited.then(({ exitCode }) => {
      noted.close(exitCode === null);
      if (process !== started) return;
      process = null;
      finish(false);
    });
    return started;
  };
  return {
    async transact(changes: readonly RefChange[]): Promise<string | null> {
      const current = (process ??= start());
      note?.begin(changes);
      const committed = new Promise<boolean>((resolve) => {
        settle = resolve;
      });
      current.stdin.write(`start\0${commands(changes, zero).join("")}prepare\0commit\0`);
      failPoint("ref.sent");
      const moved = await committed;
      failPoint("ref.moved");
      if (moved) return null;
      return current.stderrTail().trim();
    },
    async close() {
      await process?.close();
    },
  };
}

function isLocked(words: string): boolean {
  return /[Uu]nable to create (?:file )?'[^']*\.(?:lock|new)'|could not lock|File exists/.test(words);
}

/** Git's refusal as an error of ours. */
function refusal(words: string, changes: readonly RefChange[]): OxbowError {
  const inTheWay =
    /'([^']+)' exists; cannot create '([^']+)'/.exec(words) ??
    /cannot process '([^']+)' and '([^']+)' at the same time/.exec(words);
  if (inTheWay !== null) {
    const [, blocker = "", wanted = ""] = inTheWay;
    return new OxbowError(
      "branch_conflict",
      `The branch ${shortName(wanted)} cannot exist beside ${shortName(blocker)}.`,
      {
        hint: `Rename it first: git branch -m ${shortName(blocker)} ${shortName(blocker)}-old`,
        details: { ref: wanted, conflicts_with: blocker },
      },
    );
  }
  const moved =
    /cannot lock ref '([^']+)': (?:is at|reference already exists|reference is missing|unable to resolve)/.exec(
      words,
    ) ?? /cannot lock ref '([^']+)'.*(?:but expected|already exists|unable to resolve)/.exec(words);
  if (moved === null) return gitFailed(["update-ref"], words);
  const ref = moved[1] ?? "";
  const ours = changes.some((change) => change.ref === ref);
  if (ours && ref.startsWith(ATTEMPTS))
    return new OxbowError("fenced", "A newer attempt has taken this work over.", { details: { ref } });
  if (ours && ref.startsWith(QUEUES))
    return new OxbowError("fenced", "Another process merges there now.", { details: { ref } });
  return new OxbowError("branch_moved", `${shortName(ref)} was moved by somebody else.`, {
    details: { ref },
  });
}

export function shortName(ref: string): string {
  return ref.replace(/^refs\/heads\//, "");
}
