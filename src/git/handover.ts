/**
 * What leaves Oxbow for people: a difference to read, a commit that brings one branch into another, a person's branch that
 * moves, with the checkout it is in, and a push to a remote of theirs.
 */
import { OxbowError } from "../core/errors.ts";
import { readHead } from "./branches.ts";
import { checkedOutAt } from "./checkouts.ts";
import { gitFailed, gitText, gitTextOrThrow } from "./command.ts";
import type { Identity, MergeResult, Oid, RefChange, RemoteOptions } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { Merger } from "./merge.ts";
import { messageWithTrailers, nowSeconds } from "./message.ts";
import { createRemote, type Remote } from "./remote.ts";
import { shortName } from "./ref-transactions.ts";
import { shellWord } from "./setup.ts";
import { type Difference, readDifference } from "./show-diff.ts";

export interface Integration {
  /** Where the other is brought into: the tip of a person's branch. */
  readonly onto: Oid;
  readonly commit: Oid;
  readonly message: string;
  readonly trailers: readonly (readonly [string, string])[];
  /** One commit with one parent. */
  readonly squash: boolean;
}

/** Of a squashed commit: what it stands for, so that the next merge of that branch begins there. */
export const SQUASHED = "Oxbow-Squashed";

export interface Handover {
  /** What changed between two commits. Nothing that a configuration or an attribute names is run. */
  diff(from: Oid, to: Oid): Promise<Difference>;
  /** `git diff --stat` of the same. */
  diffStat(from: Oid, to: Oid): Promise<string>;
  /** A commit on no ref; `unchanged` (with `onto`) when it would change nothing. */
  integrate(request: Integration, signal?: AbortSignal): Promise<MergeResult>;
  /**
   * Moves a person's branch by compare-and-swap to a descendant. Checked out here, without uncommitted changes, its files
   * follow as by `git merge --ff-only` (without hooks), and the checkout's path is returned. Throws branch_moved, dirty_tree,
   * branch_checked_out (elsewhere, or in the middle of something).
   */
  advance(change: RefChange & { readonly new: Oid }): Promise<{ readonly checkout: string | null }>;
  /** Throws as `advance` would, before anything is made. */
  mayAdvance(ref: string): Promise<void>;
  /** The URL that `git push NAME` would use, or null. */
  pushUrl(name: string): Promise<string | null>;
  /** The URLs of its remotes, as its configuration has them. */
  remoteUrls(): Promise<readonly string[]>;
  /** A connection to a remote under the settings given here; nothing of the repository's configuration has a say. Close it. */
  connect(options: RemoteOptions): Remote;
}

export function createHandover(engine: Engine, merger: () => Promise<Merger>): Handover {
  const { setup, objects, commits } = engine;
  const { identity } = setup;

  const integrate: Handover["integrate"] = async (request, signal) => {
    const { onto, commit, squash } = request;
    const before = await squashedBefore(engine, onto, commit);
    const { tree } = await objects.commit(onto);
    // As if what was squashed had been merged: then its changes are not met a second time.
    const ours = before === null ? onto : await commits.write(joined(identity, tree, [onto, before]));
    const merged = await (await merger()).weigh(ours, commit, signal);
    if (merged.kind === "conflict") return { kind: "conflict", conflicts: merged.conflicts };
    if (merged.kind === "contained" || (squash && merged.tree === tree))
      return { kind: "unchanged", commit: onto };
    const trailers = squash ? [...request.trailers, [SQUASHED, commit] as const] : request.trailers;
    const made = await commits.write({
      parents: squash ? [onto] : [onto, commit],
      author: identity,
      committer: identity,
      time: nowSeconds(),
      message: messageWithTrailers(request.message, trailers),
      content: { tree: merged.tree },
    });
    return { kind: "merged", commit: made };
  };

  /** The checkout that has to follow, or null. */
  const checkoutOf = async (ref: string): Promise<string | null> => {
    const at = checkedOutAt(setup, ref);
    if (at === null) return null;
    const here = setup.bare ? null : (await readHead(engine)).ref;
    if (here !== ref)
      throw new OxbowError("branch_checked_out", `${shortName(ref)} is checked out in ${at}.`, {
        hint: `Only the checkout you work in follows a merge: run it there, or check out another branch there first.`,
        details: { branch: shortName(ref), at },
      });
    const changed = await gitTextOrThrow(setup.checkoutSite, STATUS);
    if (changed === "") return setup.root;
    throw new OxbowError(
      "dirty_tree",
      `${shortName(ref)} is checked out in ${setup.root}, with uncommitted changes.`,
      {
        hint: `Commit or stash them first: git -C ${shellWord(setup.root)} stash`,
        details: { branch: shortName(ref), at: setup.root },
      },
    );
  };

  return {
    diff: (from, to) => readDifference(setup.objectSite, from, to),
    diffStat: (from, to) =>
      gitTextOrThrow(setup.objectSite, ["diff-tree", "-r", "-M", "--stat=100", ...PLAIN, from, to]),
    integrate,
    mayAdvance: async (ref) => void (await checkoutOf(ref)),
    async advance(change) {
      const checkout = await checkoutOf(change.ref);
      if (checkout === null) {
        await engine.refs.apply([change]);
        return { checkout };
      }
      if ((await engine.readRef(change.ref)) !== change.old)
        throw new OxbowError("branch_moved", `${shortName(change.ref)} was moved by somebody else.`, {
          details: { ref: change.ref },
        });
      const args = [...FAST_FORWARD, change.new];
      const answer = await gitText(setup.checkoutSite, args);
      if (answer.exitCode !== 0) throw refusal(answer.stderr, args, change.ref);
      return { checkout };
    },
    async pushUrl(name) {
      if (name.startsWith("-") || /\s|\p{Cc}/u.test(name)) return null;
      const answer = await gitText(setup.checkoutSite, ["remote", "get-url", "--push", name]);
      return answer.exitCode === 0 ? answer.stdout.trim() : null;
    },
    async remoteUrls() {
      const args = ["config", "--get-regexp", "^remote[.].*[.]url$"];
      const answer = await gitText(setup.checkoutSite, args);
      return answer.stdout.split("\n").flatMap((line) => /^\S+ (.+)$/.exec(line)?.[1] ?? []);
    },
    connect: (options) => createRemote(setup, options),
  };
}

const PLAIN = ["--no-ext-diff", "--no-textconv", "--no-color"];
/** New files of a person stay where they are; where one is in the way, git itself refuses. */
const STATUS = ["status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=dirty"];
const FAST_FORWARD = [
  "merge",
  "--ff-only",
  "--commit",
  "--no-squash",
  "--no-autostash",
  "--no-overwrite-ignore",
  "--quiet",
  "--no-stat",
];

function joined(identity: Identity, tree: Oid, parents: readonly [Oid, Oid]) {
  const message = "Squashed before\n";
  const people = { author: identity, committer: identity };
  return { parents, ...people, time: nowSeconds(), message, content: { tree } };
}

const SQUASHES = 100;

/** The newest commit of `theirs` that a squashed commit of `ours` stands for, or null. */
async function squashedBefore(engine: Engine, ours: Oid, theirs: Oid): Promise<Oid | null> {
  const site = engine.setup.objectSite;
  const text = await gitTextOrThrow(site, [
    "rev-list",
    `--max-count=${SQUASHES}`,
    `--grep=^${SQUASHED}: `,
    "--no-commit-header",
    `--format=%(trailers:key=${SQUASHED},valueonly,separator=%x20)`,
    ours,
    `^${theirs}`,
  ]);
  for (const oid of text.split(/\s+/)) {
    if (!/^[0-9a-f]{40,64}$/.test(oid) || (await engine.objects.commitOrNull(oid)) === null) continue;
    if (await engine.isAncestor(oid, theirs)) return oid;
  }
  return null;
}

function refusal(words: string, args: readonly string[], ref: string): OxbowError {
  const name = shortName(ref);
  const said = words.trim().split("\n").slice(0, 8).join("\n").slice(0, 1000);
  if (/would be overwritten|not concluded|unmerged|Please, commit/i.test(words))
    return new OxbowError("dirty_tree", `Git does not touch the checkout of ${name}: ${said}`, {
      hint: "Move these files away, or finish what is under way there; then run it again.",
      details: { branch: name },
    });
  if (/Not possible to fast-forward|diverging/i.test(words))
    return new OxbowError("branch_moved", `${name} was moved by somebody else.`, { details: { ref } });
  return gitFailed(args, words);
}
