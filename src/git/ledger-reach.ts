/**
 * What of agents' work is merged, and into what. That a commit is lost or not is Git's own word; by which name it is
 * reached is found in one walk.
 */
import type { Oid } from "./contract.ts";
import { type GitSite, runGitOrThrow } from "./command.ts";
import type { AgentCommit } from "./ledger-commits.ts";

/** A ref as it is: `oid` is what a compare-and-swap expects, `commit` what it comes to (a seal is a tag). */
export interface LedgerRef {
  readonly ref: string;
  readonly oid: Oid;
  readonly commit: Oid;
}

export interface Reach {
  /** What stays and reaches the commit; null when nothing does. */
  keeper(commit: Oid): LedgerRef | null;
  /** Commits from here back that nothing reaches which stays; the newest first. */
  unmerged(commit: Oid): readonly Oid[];
  /** The first parent's line from here, where it meets what stays; null when it never does. */
  start(commit: Oid): Oid | null;
}

/** Committers' clocks differ: a walk that ends at a date ends this much earlier. */
const SLACK_S = 7 * 24 * 60 * 60;
const OUTPUT = { maxOutputBytes: 1024 * 1024 * 1024 };

export async function createReach(
  site: GitSite,
  given: {
    readonly candidates: readonly Oid[];
    readonly stays: readonly LedgerRef[];
    readonly commits: ReadonlyMap<Oid, AgentCommit>;
  },
): Promise<Reach> {
  const { candidates, stays } = given;
  const parents = candidates.length === 0 ? new Map<Oid, readonly Oid[]>() : await unmergedGraph(site, given);
  const merged = candidates.filter((commit) => !parents.has(commit));
  const oldest =
    Math.min(...merged.map((commit) => given.commits.get(commit)?.at ?? Number.MAX_SAFE_INTEGER)) / 1000;
  const names = merged.length === 0 ? new Map() : await nameKeepers(site, stays, new Set(merged), oldest);
  return {
    keeper: (commit) => names.get(commit) ?? null,
    unmerged(commit) {
      const seen = new Set<Oid>();
      const front = parents.has(commit) ? [commit] : [];
      for (let next = front.pop(); next !== undefined; next = front.pop()) {
        if (seen.has(next)) continue;
        seen.add(next);
        front.push(...(parents.get(next) ?? []).filter((parent) => parents.has(parent)));
      }
      return [...seen];
    },
    start(commit) {
      let at: Oid | undefined = commit;
      while (at !== undefined && parents.has(at)) at = parents.get(at)?.[0];
      return at ?? null;
    },
  };
}

type Graph = ReadonlyMap<Oid, readonly Oid[]>;

async function unmergedGraph(
  site: GitSite,
  { candidates, stays }: { readonly candidates: readonly Oid[]; readonly stays: readonly LedgerRef[] },
): Promise<Graph> {
  const input = [...candidates, ...new Set(stays.map(({ commit }) => `^${commit}`))].join("\n");
  const text = await runGitOrThrow(site, ["rev-list", "--parents", "--stdin"], {
    input: `${input}\n`,
    ...OUTPUT,
  });
  return graph(text);
}

/** For each of `wanted` the most telling ref that reaches it. */
async function nameKeepers(
  site: GitSite,
  stays: readonly LedgerRef[],
  wanted: ReadonlySet<Oid>,
  oldestS: number,
): Promise<ReadonlyMap<Oid, LedgerRef>> {
  const best = new Map<Oid, LedgerRef>();
  const better = (commit: Oid, keeper: LedgerRef | undefined) => {
    const known = best.get(commit);
    if (keeper && (known === undefined || rank(keeper) < rank(known))) best.set(commit, keeper);
  };
  for (const each of stays) better(each.commit, each);
  const input = [...new Set(stays.map(({ commit }) => commit))].join("\n");
  const args = [
    "rev-list",
    "--parents",
    "--topo-order",
    `--max-age=${Math.max(0, Math.floor(oldestS - SLACK_S))}`,
  ];
  // Children come before their parents, so that a name is final when it is handed down.
  for (const [commit, parents] of graph(
    await runGitOrThrow(site, [...args, "--stdin"], { input: `${input}\n`, ...OUTPUT }),
  )) {
    const keeper = best.get(commit);
    for (const parent of parents) better(parent, keeper);
  }
  // Clocks that differ by more than the slack.
  for (const commit of wanted) if (!best.has(commit)) better(commit, await keeperOf(site, stays, commit));
  return best;
}

async function keeperOf(
  site: GitSite,
  stays: readonly LedgerRef[],
  commit: Oid,
): Promise<LedgerRef | undefined> {
  const args = [
    "for-each-ref",
    `--contains=${commit}`,
    "--format=%(refname)",
    "refs/heads/",
    "refs/tags/",
    "refs/remotes/",
  ];
  const names = new Set((await runGitOrThrow(site, args)).toString("utf8").split("\n"));
  return stays.filter(({ ref }) => names.has(ref)).sort((a, b) => rank(a) - rank(b))[0];
}

/** People's branches first, then tickets' branches, then what is elsewhere. */
function rank({ ref }: LedgerRef): number {
  if (/^refs\/heads\/(?:main|master|trunk)$/.test(ref)) return 0;
  if (ref.startsWith("refs/heads/integration/")) return 1;
  if (ref.startsWith("refs/heads/")) return 2;
  return ref.startsWith("refs/remotes/") ? 3 : 4;
}

function graph(text: Buffer): Graph {
  const found = new Map<Oid, readonly Oid[]>();
  for (const line of text.toString("latin1").split("\n")) {
    const [commit = "", ...parents] = line.split(" ");
    if (commit !== "") found.set(commit, parents);
  }
  return found;
}
