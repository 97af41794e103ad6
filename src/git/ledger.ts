/**
 * The ledger: what the refs say of agents' work, without a database. Each attempt has a ref, each agent's branch names its
 * agent in its commits' trailers, and what a person keeps (other branches, tags, remote branches) says what is merged.
 */
import { BASE_REFS, refComponent } from "../core/branch-name.ts";
import { hasCode } from "../core/errors.ts";
import type { Oid, Repository } from "./contract.ts";
import { type AgentCommit, parseCommits } from "./ledger-commits.ts";
import { type GitSite, runGitOrThrow } from "./command.ts";
import { CONFLICTS } from "./conflict-record.ts";
import { createReach, type LedgerRef, type Reach } from "./ledger-reach.ts";
import { ATTEMPTS } from "./ref-transactions.ts";

export type { AgentCommit } from "./ledger-commits.ts";
export type { LedgerRef } from "./ledger-reach.ts";

export interface AttemptEntry extends LedgerRef {
  /** The subtask, as refs name it. */
  readonly key: string;
  /** From 1. */
  readonly attempt: number;
  /** Null: a seal of an attempt that saved nothing. */
  readonly work: AgentCommit | null;
  readonly sealed: boolean;
}

export interface BranchEntry extends LedgerRef {
  /** `feature/<ticket>/<agent>` */
  readonly name: string;
  readonly tip: AgentCommit;
}

/** Where a branch started; its commit may be one that only joins what others did. */
export interface BaseEntry extends LedgerRef {
  readonly key: string;
  readonly parents: readonly Oid[];
}

/** What a person settled of a conflict. */
export interface ConflictEntry extends LedgerRef {
  readonly key: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** What was to be put together: the target, then the branch. */
  readonly sides: readonly Oid[];
}

export interface Ledger {
  readonly attempts: readonly AttemptEntry[];
  /** Where branches started that did not start at their task's base: by subtask, as refs name it. */
  readonly bases: readonly BaseEntry[];
  readonly conflicts: readonly ConflictEntry[];
  /** Branches that agents made, and nobody else has put a commit on. */
  readonly branches: readonly BranchEntry[];
  /** Everything that stays: the branches of people and of tickets, tags, remote branches. */
  readonly stays: readonly LedgerRef[];
  readonly reach: Reach;
}

const FEATURE = /^refs\/heads\/(feature\/[^/]+\/([^/]+))$/;

/** An agent's branch that its rows name, also when nothing was committed to it: what it may point at then. */
export type KnownBranches = ReadonlyMap<string, readonly Oid[]>;

export function ledgerSite({ commonDir }: Pick<Repository, "commonDir">): GitSite {
  return { cwd: commonDir, gitDir: commonDir };
}

/** One moment of the refs. Throws objects_missing, git_failed. */
export async function readLedger(
  repo: Pick<Repository, "commonDir">,
  given: {
    readonly known?: KnownBranches;
    /** Commits on no ref, perhaps, whose keepers are to be known too. One that is not here any more has none. */
    readonly also?: readonly Oid[];
  } = {},
): Promise<Ledger> {
  const { known = new Map(), also = [] } = given;
  const site = ledgerSite(repo);
  const refs = await listRefs(site);
  const mayBeAgents = refs.filter(({ ref }) => /^refs\/oxbow\//.test(ref) || FEATURE.test(ref));
  const commits = await readCommits(site, [
    ...new Set([...mayBeAgents.map(({ commit }) => commit), ...also]),
  ]);
  const attempts = refs.flatMap((each) => attemptEntry(each, commits));
  const branches = refs.flatMap((each) => branchEntry(each, commits, known));
  const theirs = new Set(branches.map(({ ref }) => ref));
  const stays = refs.filter(({ ref }) => !theirs.has(ref) && /^refs\/(?:heads|tags|remotes)\//.test(ref));
  const bases = refs.flatMap(({ ref, oid, commit }): BaseEntry[] => {
    if (!ref.startsWith(BASE_REFS)) return [];
    return [
      { ref, oid, commit, key: ref.slice(BASE_REFS.length), parents: commits.get(commit)?.parents ?? [] },
    ];
  });
  const conflicts = await conflictEntries(site, refs, commits);
  const here = also.filter((commit) => commits.has(commit));
  const tips = [...attempts, ...branches, ...bases].map(({ commit }) => commit);
  const joined = [...bases.flatMap(({ parents }) => parents), ...conflicts.flatMap(({ sides }) => sides)];
  const candidates = [...new Set([...tips, ...joined, ...here])];
  return {
    attempts,
    bases,
    conflicts,
    branches,
    stays,
    reach: await createReach(site, { candidates, stays, commits }),
  };
}

interface FoundRef extends LedgerRef {
  readonly tag: string | null;
}

async function listRefs(site: GitSite): Promise<readonly FoundRef[]> {
  const format = ["objectname", "objecttype", "refname", "*objectname", "*objecttype", "symref", "tag"];
  const text = await runGitOrThrow(site, [
    "for-each-ref",
    `--format=${format.map((each) => `%(${each})`).join("%00")}`,
    "refs/heads/",
    "refs/tags/",
    "refs/remotes/",
    ATTEMPTS,
    BASE_REFS,
    CONFLICTS,
  ]);
  return text
    .toString("utf8")
    .split("\n")
    .flatMap((line): FoundRef[] => {
      const [oid = "", type = "", ref = "", peeled = "", peeledType = "", symref = "", tag = ""] =
        line.split("\0");
      // What it names is a ref of its own.
      if (ref === "" || symref !== "") return [];
      if (type === "commit") return [{ ref, oid, commit: oid, tag: null }];
      return peeledType === "commit" ? [{ ref, oid, commit: peeled, tag }] : [];
    });
}

async function readCommits(site: GitSite, wanted: readonly Oid[]): Promise<ReadonlyMap<Oid, AgentCommit>> {
  if (wanted.length === 0) return new Map();
  const format = "--format=%H%x00%T%x00%ct%x00%P%x00%B%x00";
  const text = await runGitOrThrow(
    site,
    ["rev-list", "--ignore-missing", "--no-walk=unsorted", "--no-commit-header", format, "--stdin"],
    { input: `${wanted.join("\n")}\n` },
  );
  return parseCommits(text.toString("utf8"));
}

/** As conflict-record.ts writes them: a commit on one that has both sides as its parents. */
async function conflictEntries(
  site: GitSite,
  refs: readonly FoundRef[],
  commits: ReadonlyMap<Oid, AgentCommit>,
): Promise<readonly ConflictEntry[]> {
  const found = refs.filter(({ ref }) => ref.startsWith(CONFLICTS));
  const firsts = found.flatMap(({ commit }) => commits.get(commit)?.parents[0] ?? []);
  const joins = await readCommits(site, [...new Set(firsts)]);
  return found.map(({ ref, oid, commit }) => {
    const record = commits.get(commit);
    const sides = joins.get(record?.parents[0] ?? "")?.parents ?? [];
    return { ref, oid, commit, key: ref.slice(CONFLICTS.length), at: record?.at ?? 0, sides };
  });
}

/** As `src/git/attempts.ts` names the seal of an attempt that had saved nothing. */
const SAVED_NOTHING = "sealed-without-work";

function attemptEntry(found: FoundRef, commits: ReadonlyMap<Oid, AgentCommit>): AttemptEntry[] {
  if (!found.ref.startsWith(ATTEMPTS)) return [];
  const { ref, oid, commit, tag } = found;
  const [key = "", n = ""] = ref.slice(ATTEMPTS.length).split("/");
  if (!/^\d+$/.test(n)) return [];
  const work = tag === SAVED_NOTHING ? null : (commits.get(commit) ?? null);
  return [{ ref, oid, commit, key, attempt: Number(n), work, sealed: tag !== null }];
}

/**
 * `feature/<ticket>/<agent>` whose tip the agent itself made. A branch that somebody made from it under another name, or
 * put a commit of their own on, is that person's.
 */
function branchEntry(
  { ref, oid, commit }: FoundRef,
  commits: ReadonlyMap<Oid, AgentCommit>,
  known: KnownBranches,
): BranchEntry[] {
  const [, name = "", last = ""] = FEATURE.exec(ref) ?? [];
  const tip = commits.get(commit);
  if (name === "" || tip === undefined) return [];
  const made = tip.agent !== null && tip.attempt !== null && isNamedAfter(last, tip.agent);
  const empty = known.get(name)?.includes(commit) === true;
  return made || empty ? [{ ref, oid, commit, name, tip }] : [];
}

function isNamedAfter(last: string, agent: string): boolean {
  try {
    const name = refComponent(agent);
    return last === name || last.replace(/-\d+$/, "") === name;
  } catch (error) {
    // A trailer that somebody wrote by hand.
    if (hasCode(error, "branch_name_rejected")) return false;
    throw error;
  }
}
