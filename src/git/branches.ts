/** Making branches: every ref is created or moved by compare-and-swap, never re-pointed. */
import { branchName, numberedBranch } from "../core/branch-name.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { failPoint } from "../host/fail-point.ts";
import { checkedOutAt } from "./checkouts.ts";
import { isDirty } from "./dirty.ts";
import { gitFailed, gitText } from "./command.ts";
import type { AllocateBranch, BranchAllocation, Oid, RefChange, Repository } from "./contract.ts";
import type { Engine } from "./engine.ts";

const MAX_NUMBER = 100_000;

/** The commit a revision names. Throws rev_not_found, unborn_head. */
export async function resolveRevision(engine: Engine, rev: string): Promise<Oid> {
  const { checkoutSite } = engine.setup;
  if (rev !== "" && !rev.startsWith("-") && !rev.includes("\0")) {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${rev}^{commit}`];
    const answer = await gitText(checkoutSite, args);
    if (answer.exitCode === 0) return answer.stdout.trim();
  }
  if (rev === "HEAD") {
    throw new OxbowError("unborn_head", "The repository has no commit yet.", { details: { rev } });
  }
  throw new OxbowError("rev_not_found", `${JSON.stringify(rev)} names no commit.`, { details: { rev } });
}

/** HEAD of the user's checkout: its branch (null when detached) and commit (null when unborn). */
export async function readHead(engine: Engine): Promise<{ ref: string | null; commit: Oid | null }> {
  const { checkoutSite } = engine.setup;
  const [ref, commit] = await Promise.all([
    gitText(checkoutSite, ["symbolic-ref", "--quiet", "HEAD"]),
    gitText(checkoutSite, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]),
  ]);
  return {
    ref: ref.exitCode === 0 ? ref.stdout.trim() : null,
    commit: commit.exitCode === 0 ? commit.stdout.trim() : null,
  };
}

export async function allocateBranch(engine: Engine, options: AllocateBranch): Promise<BranchAllocation> {
  const name = branchName({ ticket: options.ticket, agentName: options.agentName });
  const ref = `refs/heads/${name}`;
  const existing = await engine.readRef(ref);
  // An existing branch starts where it is: the base has no say then.
  const base = existing ?? (await resolveRevision(engine, options.base ?? "HEAD"));
  if (options.switch === true) await refuseSwitch(engine, ref);
  const created = existing === null && (await createRef(engine, ref, base));
  const tip = created || existing !== null ? base : ((await engine.readRef(ref)) ?? base);
  if (options.switch === true) await switchTo(engine, name);
  return { name, base: tip, created };
}

/** False when it exists already. Throws branch_conflict. */
async function createRef(
  engine: Engine,
  ref: string,
  commit: Oid,
  along: readonly RefChange[] = [],
): Promise<boolean> {
  try {
    await engine.refs.apply([...along, { ref, old: null, new: commit }]);
    return true;
  } catch (error) {
    if (hasCode(error, "branch_moved") && error.details?.["ref"] === ref) return false;
    throw error;
  }
}

async function refuseSwitch(engine: Engine, ref: string): Promise<void> {
  if (engine.setup.bare) {
    throw new OxbowError("usage", "A bare repository has no work tree to switch.", {
      hint: "Leave --switch out.",
    });
  }
  if (await isDirty(engine.setup, { filters: true }))
    throw new OxbowError("dirty_tree", "The work tree has uncommitted changes.");
  const { ref: here } = await readHead(engine);
  const at = here === ref ? null : checkedOutAt(engine.setup, ref);
  if (at !== null) throw new OxbowError("branch_checked_out", `The branch is checked out in ${at}.`);
}

/** The one thing that touches the user's checkout; it uses the user's configuration (filters), but no hooks. */
async function switchTo(engine: Engine, name: string): Promise<void> {
  const args = ["switch", "--quiet", "--no-guess", "--no-recurse-submodules", name];
  const answer = await gitText(engine.setup.checkoutSite, args);
  if (answer.exitCode !== 0) throw gitFailed(args, answer.stderr);
}

const namesAsked = new WeakMap<Engine, Set<string>>();

/** Names that some call is just finding out about. */
function beingAsked(engine: Engine): Set<string> {
  const known = namesAsked.get(engine) ?? new Set();
  namesAsked.set(engine, known);
  return known;
}

export async function createFreeBranch(
  engine: Engine,
  options: Parameters<Repository["createFreeBranch"]>[0],
): Promise<BranchAllocation> {
  const first = branchName({ ticket: options.ticket, agentName: options.agentName });
  // A refused transaction ends git's process and every other one of its batch: children that come together take
  // different names from the start.
  const asked = beingAsked(engine);
  const mine = new Set<string>();
  try {
    for (let n = 1; n <= MAX_NUMBER; n++) {
      const name = numberedBranch(first, n);
      if (options.taken?.has(name) === true || asked.has(name)) continue;
      asked.add(name);
      mine.add(name);
      const ref = `refs/heads/${name}`;
      if ((await engine.readRef(ref)) !== null) continue;
      if (options.reserve && !(await options.reserve(name))) continue;
      failPoint("branch.reserved");
      if (await createRef(engine, ref, options.commit, options.along))
        return { name, base: options.commit, created: true };
    }
  } finally {
    for (const name of mine) asked.delete(name);
  }
  throw new OxbowError("branch_conflict", `All of ${first}, ${first}-2 … ${first}-${MAX_NUMBER} exist.`);
}
