/**
 * A repository that other machines work on too: what they need to see goes to a remote before anything names it, and what
 * they did is fetched before it is built upon. The remote is never ahead of what a worker holds, nor is it overwritten.
 */
import { baseRef, refComponent, START_REFS } from "../core/branch-name.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { attemptRef, writeSeal } from "./attempts.ts";
import { checkedOutAt } from "./checkouts.ts";
import { objectsMissing } from "./command.ts";
import type { Oid, RefChange, RemoteOptions, Repository, SharedRemote } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { MergeDesk } from "./merge-desk.ts";
import { ATTEMPTS } from "./ref-transactions.ts";
import { createRemote, type Remote } from "./remote.ts";
import { createSurvey } from "./remote-survey.ts";
import { publishedTree } from "./remote-branch.ts";

const HEADS = "refs/heads/";
const MAX_SEEN = 1000;
const MAX_TRIES = 8;

export function withRemote(here: Repository, engine: Engine, options: RemoteOptions): Repository {
  const remote = createRemote(engine.setup, options);
  /** Branches whose tip on the remote is known until they are opened. */
  const seen = new Map<string, Oid>();
  const saw = (ref: string, oid: Oid) => {
    if (seen.size >= MAX_SEEN) seen.clear();
    seen.set(ref, oid);
  };
  const shared = createShared(engine, remote, options.identity, saw);
  const meet = async (target: string): Promise<Oid | null> => {
    const ref = HEADS + target;
    const there = (await remote.fetch([ref])).get(ref) ?? null;
    if (there === null) return null;
    const local = await engine.readRef(ref);
    if (local !== null && (await engine.isAncestor(there, local))) return there;
    if (local !== null && !(await engine.isAncestor(local, there)))
      throw new OxbowError("branch_moved", `${target} has commits on the team's remote that are not here.`, {
        hint: `Fetch it and merge the two by hand, then: oxbow run --resume TASK`,
      });
    await moveHere(engine, { ref, old: local, new: there });
    return there;
  };
  /** The merges of `work` are on the remote, or the next try makes them so: each merge is safe to repeat. */
  const mergingShared = async <T>(target: string, work: () => Promise<T>): Promise<T> => {
    const ref = HEADS + target;
    for (let tries = 0; ; tries++) {
      const old = await meet(target);
      const result = await work();
      const now = await engine.readRef(ref);
      if (now === null || now === old) return result;
      if ((await remote.push([{ ref, old, new: now }])).kind === "pushed") return result;
      if (tries >= MAX_TRIES)
        throw new OxbowError("branch_moved", `${target} keeps being moved on the team's remote.`);
    }
  };
  return {
    ...here,
    remote: shared,
    resolve: async (rev) => {
      const ref = HEADS + rev;
      if (options.mirror !== true || !/^[\w][\w./-]*$/.test(rev) || rev === "HEAD") return here.resolve(rev);
      return (await remote.fetch([ref])).get(ref) ?? here.resolve(rev);
    },
    createFreeBranch: (request) => createThereToo(here, engine, remote, request, saw),
    async sealAttempts(subtaskId, attempt, base) {
      await sealThere(engine, remote, subtaskId, attempt, base);
      await here.sealAttempts(subtaskId, attempt, base);
    },
    async openBranch(request) {
      const ref = HEADS + request.branch;
      const known = seen.get(ref) ?? (await remote.fetch([ref])).get(ref) ?? null;
      seen.delete(ref);
      const tree = await here.openBranch(request);
      return publishedTree(engine, remote, tree, request, known);
    },
    merge: (request, signal) => mergingShared(request.target, () => here.merge(request, signal)),
    mergeAll: (request) => mergingShared(request.target, () => here.mergeAll(request)),
    mergeDesk: async () => sharedDesk(await here.mergeDesk(), { engine, remote, meet }),
    async [Symbol.asyncDispose]() {
      await remote.close();
      await here[Symbol.asyncDispose]();
    },
  };
}

/** The target is where it is on the remote, and lands there too, or not at all. */
function sharedDesk(
  desk: MergeDesk,
  shared: {
    readonly engine: Engine;
    readonly remote: Remote;
    /** Brings the target here; says where it is there. */
    meet(target: string): Promise<Oid | null>;
  },
): MergeDesk {
  const { engine, remote, meet } = shared;
  const there = new Map<string, Oid | null>();
  const push = async (target: string, to: Oid): Promise<boolean> => {
    const pushed = await remote.push([{ ref: HEADS + target, old: there.get(target) ?? null, new: to }]);
    if (pushed.kind === "pushed") there.set(target, to);
    return pushed.kind === "pushed";
  };
  return {
    ...desk,
    async tip(target) {
      for (let tries = 0; ; tries++) {
        there.set(target, await meet(target));
        const local = await desk.tip(target);
        // It landed here before its process died.
        if (local === null || local === there.get(target) || (await push(target, local))) return local;
        if (tries >= MAX_TRIES)
          throw new OxbowError("branch_moved", `${target} keeps being moved on the team's remote.`);
      }
    },
    async land(move) {
      await desk.land(move);
      const { target, from, to } = move;
      if (await push(target, to)) return;
      await moveHere(engine, { ref: HEADS + target, old: to, new: from });
      throw new OxbowError("branch_moved", `${target} was moved on the team's remote.`);
    },
  };
}

function createShared(
  engine: Engine,
  remote: Remote,
  identity: string,
  saw: (ref: string, oid: Oid) => void,
): SharedRemote {
  const missing = async (commits: readonly Oid[]): Promise<Oid[]> => {
    const found = await Promise.all(commits.map((oid) => engine.objects.commitOrNull(oid)));
    return commits.filter((_, i) => found[i] === null);
  };
  return {
    identity,
    survey: createSurvey(engine, remote),
    async offer(commits) {
      for (const oid of new Set(commits)) {
        // Moved: it is there already.
        await remote.push([{ ref: START_REFS + oid, old: null, new: oid }]);
      }
    },
    async bring({ commits = [], branches = [], bases = [], attempts = [] }) {
      const lacking = await missing([...new Set(commits)]);
      const found = await remote.fetch([
        ...lacking.map((oid) => START_REFS + oid),
        ...branches.map((name) => HEADS + name),
        ...bases.map(baseRef),
        ...attempts.map((id) => `${ATTEMPTS}${refComponent(id)}/`),
      ]);
      const [still] = await missing(lacking);
      if (still !== undefined)
        throw objectsMissing(`The commit ${still} is neither here nor offered by the team's remote.`);
      await Promise.all([...found].map(([ref, oid]) => takeIn(engine, ref, oid)));
      for (const name of branches) {
        const oid = found.get(HEADS + name);
        if (oid !== undefined) saw(HEADS + name, oid);
      }
    },
    async drop(branch, at) {
      try {
        await remote.push([{ ref: HEADS + branch, old: at, new: null }]);
      } catch (error) {
        if (!hasCode(error, "remote_refused") && !hasCode(error, "remote_unreachable")) throw error;
      }
    },
  };
}

/** Puts a fetched ref beside what is here: nothing that only this machine has is lost by it. */
async function takeIn(engine: Engine, ref: string, there: Oid): Promise<void> {
  const local = await engine.readRef(ref);
  if (local === there) return;
  // What an attempt of this machine saved and did not push stays at its ref.
  if (!ref.startsWith(HEADS))
    return local === null ? moveHere(engine, { ref, old: null, new: there }) : undefined;
  if (checkedOutAt(engine.setup, ref) !== null) return;
  if (local !== null && (await engine.isAncestor(there, local))) return;
  await moveHere(engine, { ref, old: local, new: there });
}

/** Somebody else of this machine may be doing the same. */
async function moveHere(engine: Engine, change: RefChange): Promise<void> {
  try {
    await engine.refs.apply([change]);
  } catch (error) {
    if (!hasCode(error, "branch_moved") && !hasCode(error, "fenced")) throw error;
  }
}

async function sealThere(
  engine: Engine,
  remote: Remote,
  subtaskId: string,
  attempt: number,
  base: Oid,
): Promise<void> {
  for (let n = attempt - 1; n > 0; n--) {
    const ref = attemptRef(subtaskId, n);
    for (let tries = 0; ; tries++) {
      const old = (await remote.fetch([ref])).get(ref) ?? null;
      if (old !== null && (await engine.objects.tag(old)) !== null) break;
      const seal = await writeSeal(engine, { subtaskId, attempt: n, old, base });
      if ((await remote.push([{ ref, old, new: seal }])).kind === "pushed") break;
      if (tries >= MAX_TRIES)
        throw new OxbowError("branch_moved", `${ref} keeps moving on the team's remote.`);
    }
    const there = (await remote.fetch([ref])).get(ref);
    if (there !== undefined) await takeIn(engine, ref, there);
  }
}

/** A name that is free here and there. */
async function createThereToo(
  here: Repository,
  engine: Engine,
  remote: Remote,
  request: Parameters<Repository["createFreeBranch"]>[0],
  saw: (ref: string, oid: Oid) => void,
) {
  const taken = new Set(request.taken);
  const along = request.along ?? [];
  for (;;) {
    const made = await here.createFreeBranch({ ...request, taken });
    const branch = { ref: HEADS + made.name, old: null, new: request.commit };
    const changes = [branch, ...along.map((change) => ({ ...change, new: change.new ?? null }))];
    const undo = () =>
      engine.refs.apply(changes.map(({ ref, old, new: next }) => ({ ref, old: next, new: old })));
    const pushed = await remote.push(changes).catch(async (error: unknown) => {
      await undo();
      throw error;
    });
    if (pushed.kind === "pushed" && !pushed.same.includes(branch.ref)) {
      saw(branch.ref, request.commit);
      return made;
    }
    await undo();
    const moved = pushed.kind === "moved" ? pushed.refs : [];
    const other = moved.find((ref) => ref !== branch.ref);
    if (other !== undefined && !moved.includes(branch.ref))
      throw new OxbowError("branch_moved", `${other} exists on the team's remote.`, {
        details: { ref: other },
      });
    taken.add(made.name);
  }
}
