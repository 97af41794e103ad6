/**
 * What was settled of a conflict, on `refs/oxbow/conflicts/<subtask>`: a commit whose tree is the merge so far, and whose
 * message says how each path came about. In the end it keeps the merge that all of it comes to, until that has landed. So nothing of it is lost before the branch lands, and two people who settle one
 * branch at once do not overwrite each other.
 */
import { refComponent } from "../core/branch-name.ts";
import type { Waiver } from "../core/resolution.ts";
import { toRaw } from "./bytes.ts";
import { runGitOrThrow } from "./command.ts";
import type { SettledPath } from "./conflict-desk.ts";
import type { NewCommit } from "./commit-writer.ts";
import type { MergeSource, Oid } from "./contract.ts";
import type { TreeEdit } from "./edit-tree.ts";
import type { Engine } from "./engine.ts";
import { agentIdentity, messageWithTrailers, nowSeconds } from "./message.ts";
import type { MergePair } from "./resolution-check.ts";

const SUBJECT = "Settled so far";

export const CONFLICTS = "refs/oxbow/conflicts/";

function refOf(subtaskId: string): string {
  return `${CONFLICTS}${refComponent(subtaskId)}`;
}

/** With the commit that the ref names; null when nothing was settled. */
export async function readSettled(
  engine: Engine,
  subtaskId: string,
): Promise<{ readonly at: Oid; readonly paths: readonly SettledPath[] } | null> {
  const at = await engine.readRef(refOf(subtaskId));
  if (at === null) return null;
  const text = (await runGitOrThrow(engine.setup.objectSite, ["cat-file", "commit", at])).toString("utf8");
  const from = text.indexOf(`\n\n${SUBJECT}\n`);
  return { at, paths: JSON.parse(text.slice(from + SUBJECT.length + 2)) as SettledPath[] };
}

/** The merge with everything that was settled, on no ref yet. `content`: new files. `keeps`: commits to stay reachable. */
export async function writeSettled(
  engine: Engine,
  pair: MergePair,
  tree: Oid,
  paths: readonly SettledPath[],
  content: ReadonlyMap<Oid, Uint8Array>,
  keeps: readonly Oid[] = [],
): Promise<Oid> {
  const [whole, step] = await engine.commits.writeChain([
    { ...about(engine, "Both sides\n"), parents: [pair.onto, pair.commit], content: { tree } },
    {
      ...about(engine, `${SUBJECT}\n\n${JSON.stringify(paths)}\n`),
      parents: [null, ...keeps],
      content: { edits: paths.flatMap(({ edits }) => edits).map((edit) => treeEdit(edit, content)) },
    },
  ]);
  return step ?? whole ?? "";
}

function treeEdit(
  { path, mode, oid }: SettledPath["edits"][number],
  content: ReadonlyMap<Oid, Uint8Array>,
): TreeEdit {
  if (oid === null) return { path: toRaw(path), mode: null };
  return { path: toRaw(path), mode, oid, content: content.get(oid) ?? null };
}

/** Throws branch_moved when somebody else has settled something meanwhile. */
export async function keepSettled(
  engine: Engine,
  subtaskId: string,
  from: Oid | null,
  to: Oid,
): Promise<void> {
  await engine.refs.apply([{ ref: refOf(subtaskId), old: from, new: to }]);
}

export async function forgetSettled(engine: Engine, subtaskId: string): Promise<void> {
  const ref = refOf(subtaskId);
  const old = await engine.readRef(ref);
  if (old !== null) await engine.refs.apply([{ ref, old, new: null }]);
}

/** The merge commit that a settled conflict comes to; it says what was given up, and by whom. */
export async function writeResolution(
  engine: Engine,
  pair: MergePair,
  tree: Oid,
  paths: readonly SettledPath[],
  { into, source }: { readonly into: string; readonly source: MergeSource },
): Promise<Oid> {
  const co = agentIdentity(source.agent);
  const message = messageWithTrailers(`Merge ${source.branch} into ${into}, conflicts settled`, [
    ["Oxbow-Task", source.taskId],
    ["Oxbow-Subtask", source.subtaskId],
    ["Oxbow-Agent", source.agent],
    ...paths.map(({ path, how, by }): [string, string] => ["Oxbow-Settled", `${path}: ${how}, by ${by}`]),
    ...paths
      .flatMap(({ waived }) => waived)
      .map((each): [string, string] => ["Oxbow-Waived", waiverText(each)]),
    ["Co-authored-by", `${co.name} <${co.email}>`],
  ]);
  return engine.commits.write({
    ...about(engine, message),
    parents: [pair.onto, pair.commit],
    content: { tree },
  });
}

/** `theirs of src/a.ts`, or the line with its path. */
function waiverText({ path, side, line }: Waiver): string {
  if (line === undefined) return `${side ?? "both"} of ${path}`;
  return `${JSON.stringify(line)} of ${path}${side === undefined ? "" : ` (${side})`}`;
}

function about(engine: Engine, message: string): Omit<NewCommit, "parents" | "content"> {
  const { identity } = engine.setup;
  return { author: identity, committer: identity, time: nowSeconds(), message };
}
