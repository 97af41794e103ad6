/**
 * What the merge queue does to a repository: it builds what is to land without moving anything, moves the target from
 * exactly where it looked, under its own fence, and notes on what landed why it may.
 */
import { unlink } from "node:fs/promises";
import path from "node:path";
import { refComponent } from "../core/branch-name.ts";
import type { Conflict } from "../core/model.ts";
import { span } from "../host/telemetry.ts";
import { hasCode } from "../core/errors.ts";
import { refuseCheckedOut } from "./checkouts.ts";
import { toRaw } from "./bytes.ts";
import type { MergeSource, Oid } from "./contract.ts";
import type { NewCommit } from "./commit-writer.ts";
import type { TreeEdit } from "./edit-tree.ts";
import type { Engine } from "./engine.ts";
import type { Merger } from "./merge.ts";
import { stack, type Stacked, type StackRequest } from "./merge-stack.ts";
import { coAuthor, messageWithTrailers, nowSeconds } from "./message.ts";
import { isMissing } from "./missing.ts";
import { addNote } from "./notes.ts";
import { TREE_MODE } from "./objects.ts";
import { QUEUES } from "./ref-transactions.ts";

/** Both sides of a branch and its target in one commit: where a rework begins. */
export interface Draft {
  /** On no ref; its parents are the target's commit and the branch's. */
  readonly commit: Oid;
  readonly conflicts: readonly Omit<Conflict, "agents" | "owners">[];
  /** Conflicting text between Git's markers, the target's side first. */
  readonly hunks: readonly { readonly path: string; readonly text: string }[];
}

export interface MergeDesk {
  /** Where the target is, on whichever machine; null: nowhere yet. */
  tip(target: string): Promise<Oid | null>;
  /** Throws git_failed. */
  stack(request: StackRequest): Promise<Stacked>;
  draft(request: { onto: Oid; into: string; source: MergeSource }): Promise<Draft>;
  /**
   * From now on nobody lands on the target with an earlier fence. `at` is any commit. Returns the fence; null when somebody
   * else is doing the same.
   */
  fence(target: string, writer: string, at: Oid): Promise<Oid | null>;
  /** Whether there is one: of a writer at work, or of one that died. */
  isFenced(target: string): Promise<boolean>;
  /** Takes the fence away, where it is still this one. */
  unfence(target: string, fence: Oid): Promise<void>;
  /** Moves the target from where it was looked at. Throws branch_moved, fenced, branch_checked_out. */
  land(move: { target: string; from: Oid | null; to: Oid; fence: Oid }): Promise<void>;
  /** Whether a commit is there, and `tip` has it in its history. */
  reaches(tip: Oid, commit: Oid): Promise<boolean>;
  /** Adds a note to a commit, in `refs/notes/oxbow`; one that is there is replaced. */
  note(commit: Oid, text: string): Promise<void>;
}

const HEADS = "refs/heads/";

export function queueRef(target: string): string {
  return QUEUES + refComponent(target);
}

export function createMergeDesk(engine: Engine, merger: () => Promise<Merger>): MergeDesk {
  const { setup, refs } = engine;
  return {
    tip: (target) => engine.readRef(HEADS + target),
    stack: (request) =>
      span("oxbow.git.merge", { "oxbow.target": request.into }, async (note) => {
        const made = await stack(engine, await merger(), request);
        const conflicts = made.results.filter(({ kind }) => kind === "conflict").length;
        note({ "oxbow.branches": request.sources.length, "oxbow.conflicts": conflicts });
        return made;
      }),
    draft: async (request) => draft(engine, await merger(), request),
    async fence(target, writer, at) {
      const ref = queueRef(target);
      const old = await engine.readRef(ref);
      const { name, email } = setup.identity;
      const made = await engine.commits.writeObject(
        "tag",
        `object ${at}\ntype commit\ntag fence\ntagger ${name} <${email}> ${nowSeconds()} +0000\n\n${writer}\n`,
      );
      try {
        await refs.apply([{ ref, old, new: made }]);
        if (old !== null) await dropFence(engine, old);
        return made;
      } catch (error) {
        await dropFence(engine, made);
        if (hasCode(error, "fenced")) return null;
        throw error;
      }
    },
    isFenced: async (target) => (await engine.readRef(queueRef(target))) !== null,
    async unfence(target, fence) {
      try {
        await refs.apply([{ ref: queueRef(target), old: fence, new: null }]);
        await dropFence(engine, fence);
      } catch (error) {
        if (!hasCode(error, "fenced")) throw error;
      }
    },
    async land({ target, from, to, fence }) {
      const ref = HEADS + target;
      refuseCheckedOut(setup, ref);
      await refs.apply([
        { ref: queueRef(target), old: fence },
        { ref, old: from, new: to },
      ]);
    },
    reaches: async (tip, commit) =>
      (await engine.objects.commitOrNull(commit)) !== null && (await engine.isAncestor(commit, tip)),
    note: (commit, text) => addNote(engine, commit, text),
  };
}

/** Nothing names it any more, and its like is never made again. */
async function dropFence({ setup }: Engine, oid: Oid): Promise<void> {
  const file = path.join(setup.objectDir, oid.slice(0, 2), oid.slice(2));
  await unlink(file).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/** Of these the merged tree holds both sides, between markers; or beside one another, with a name made up for one. */
const SHOWN_IN_TREE: ReadonlySet<Conflict["kind"]> = new Set([
  "content",
  "add_add",
  "directory_file",
  "mode",
]);

async function draft(
  engine: Engine,
  merger: Merger,
  { onto, into, source }: { onto: Oid; into: string; source: MergeSource },
): Promise<Draft> {
  const { objects, trees, commits } = engine;
  const weighed = await merger.weigh(onto, source.commit);
  const target = (await objects.commit(onto)).tree;
  const conflicts = weighed.kind === "conflict" ? weighed.conflicts : [];
  const tree = weighed.kind === "contained" ? target : weighed.tree;
  const edits: TreeEdit[] = [];
  for (const { path: at, kind } of conflicts) {
    if (SHOWN_IN_TREE.has(kind)) continue;
    const raw = toRaw(at);
    const kept = await trees.find(target, raw);
    if (kept === null) edits.push({ path: raw, mode: null });
    else if (kept.mode !== TREE_MODE) edits.push({ path: raw, ...kept, content: null });
  }
  const write = (parents: NewCommit["parents"], content: NewCommit["content"]) => {
    const { identity } = engine.setup;
    const message = messageWithTrailers(`Put ${source.branch} and ${into} together`, [
      ["Oxbow-Task", source.taskId],
      ["Co-authored-by", coAuthor(source.agent)],
    ]);
    return commits.write({
      parents,
      author: identity,
      committer: identity,
      time: nowSeconds(),
      message,
      content,
    });
  };
  const sides = [onto, source.commit] as const;
  const marked = await write(sides, { tree });
  // Edits are made to the tree of a parent, so that it takes a commit in between, which nothing keeps.
  const settled = edits.length === 0 ? marked : await write([marked], { edits });
  const commit =
    settled === marked ? marked : await write(sides, { tree: (await objects.commit(settled)).tree });
  const hunks: { path: string; text: string }[] = [];
  for (const { path, kind } of conflicts) {
    const entry = kind === "content" || kind === "add_add" ? await trees.find(tree, toRaw(path)) : null;
    if (entry === null) continue;
    const text = (await objects.blob(entry.oid)).toString("utf8");
    for (const hunk of hunksOf(text)) hunks.push({ path, text: hunk });
  }
  return { commit, conflicts, hunks };
}

/** From `<<<<<<<` to `>>>>>>>`. */
function hunksOf(text: string): readonly string[] {
  return text.match(/^<{7} [^]*?^>{7} .*$/gm) ?? [];
}
