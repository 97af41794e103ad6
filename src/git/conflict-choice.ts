/** A person's choice at one path, as what the merged tree gets and what is given up by it. */
import { OxbowError } from "../core/errors.ts";
import type { ConflictSide } from "../core/model.ts";
import { normalisePath } from "../core/paths.ts";
import type { ResolutionSide, Waiver } from "../core/resolution.ts";
import { objectId, type RawPath, shownPath, toRaw } from "./bytes.ts";
import { treeNames } from "./case-conflicts.ts";
import { caseTwin, TWINS } from "./case-twins.ts";
import type { SettledPath } from "./conflict-desk.ts";
import type { ConflictValue } from "./conflicts.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { TREE_MODE } from "./objects.ts";

export type Choice =
  /** One side's version is taken and the other given up by name; with `as` it goes there, and the other stays where it is. */
  | {
      readonly kind: "take";
      readonly path: string;
      readonly side: ResolutionSide;
      readonly as?: string | undefined;
    }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly content: Uint8Array;
      readonly waived: readonly Waiver[];
    };

export interface Chosen {
  readonly settled: Omit<SettledPath, "by">;
  /** New files, by their ids. */
  readonly content: ReadonlyMap<Oid, Uint8Array>;
}

type Edit = SettledPath["edits"][number];

/** The merge a choice is made in. `merged`: the tree that Git made of both sides. */
export interface Weighing {
  readonly merged: Oid;
  readonly ours: Oid;
  readonly theirs: Oid;
}

/** Throws usage (nothing to take, a name that is taken), path_rejected (the new name). */
export async function choose(
  engine: Engine,
  weighing: Weighing,
  conflict: ConflictValue,
  choice: Choice,
): Promise<Chosen> {
  const { path, kind, base, ours, theirs } = conflict;
  const about = { path, kind, base, ours, theirs };
  const aside = await movedAside(engine, weighing, path);
  const content = new Map<Oid, Uint8Array>();
  if (choice.kind === "file") {
    if (kind === "submodule")
      throw new OxbowError("usage", `${path} is a submodule, which has no content here.`, {
        hint: "Take one side's commit: oxbow conflicts take … ours, or theirs.",
      });
    const oid = objectId("blob", choice.content, engine.setup.zero);
    content.set(oid, choice.content);
    const edits = [
      ...aside,
      ...(await withoutTwin(engine, weighing, conflict)),
      { path, mode: modeOf(conflict), oid },
    ];
    return { settled: { ...about, how: "file", edits, waived: choice.waived }, content };
  }
  const { side } = choice;
  const other = side === "ours" ? "theirs" : "ours";
  if (choice.as !== undefined) {
    const edits = [...aside, ...(await bothSides(engine, weighing, conflict, side, choice.as))];
    return { settled: { ...about, how: "both", edits, waived: [] }, content };
  }
  const waived: Waiver[] = [{ path, side: other }];
  const edits: Edit[] = [...aside];
  if (kind === "case" && side === "theirs") {
    edits.push(...(await withoutTwin(engine, weighing, conflict)));
    if (ours?.path !== undefined) waived.push({ path: ours.path, side: other });
  }
  edits.push(put(path, kind === "case" && side === "ours" ? null : conflict[side]));
  return { settled: { ...about, how: side, edits, waived }, content };
}

function put(path: string, side: ConflictSide | null): Edit {
  return side === null ? { path, mode: "", oid: null } : { path, mode: side.mode, oid: side.oid };
}

/** One side under a new name, the other where it is. */
async function bothSides(
  engine: Engine,
  weighing: Weighing,
  conflict: ConflictValue,
  side: ResolutionSide,
  as: string,
): Promise<Edit[]> {
  const { path, kind } = conflict;
  const version = conflict[side];
  if (version === null || version.mode === TREE_MODE)
    throw new OxbowError("usage", `${side === "ours" ? "Ours" : "Theirs"} has no file at ${path}.`, {
      hint: "Take the other side, or leave --as away.",
    });
  const name = await freeName(engine, weighing, as);
  const moved = put(name, version);
  if (kind === "case") return [{ path: version.path ?? path, mode: "", oid: null }, moved];
  return [put(path, conflict[side === "ours" ? "theirs" : "ours"]), moved];
}

async function freeName({ trees }: Engine, { merged }: Weighing, as: string): Promise<string> {
  const name = normalisePath(as);
  const way = await trees.trace(merged, toRaw(name));
  if (way.length === name.split("/").length || way.some(({ mode }) => mode !== TREE_MODE))
    throw new OxbowError("usage", `There is something at ${name} already.`, { hint: "Give another name." });
  const twin = await caseTwin(toRaw(name), treeNames(trees, merged, merged));
  if (twin !== null)
    throw new OxbowError("path_rejected", `${name} differs from ${shownPath(twin)} only in case; ${TWINS}.`);
  return name;
}

/** Removes what the target has under the name that differs only in case. */
async function withoutTwin(
  { trees }: Engine,
  { merged }: Weighing,
  { kind, ours }: ConflictValue,
): Promise<Edit[]> {
  if (kind !== "case" || ours?.path === undefined) return [];
  const { path } = ours;
  if (ours.mode !== TREE_MODE) return [{ path, mode: "", oid: null }];
  const files = await trees.files(merged);
  return files
    .filter((file) => file.path.startsWith(`${toRaw(path)}/`))
    .map((file) => ({ path: shownPath(file.path), mode: "", oid: null }));
}

/** A file in the way of a directory stands in Git's merged tree as `name~side`, until it is settled. */
async function movedAside({ trees, objects }: Engine, weighing: Weighing, path: string): Promise<Edit[]> {
  const raw = toRaw(path);
  const folder = raw.slice(0, raw.lastIndexOf("/") + 1);
  const within = await trees.find(weighing.merged, folder.slice(0, -1));
  if (within?.mode !== TREE_MODE) return [];
  const found: RawPath[] = [];
  for (const name of (await objects.tree(within.oid)).keys()) {
    const at = folder + name;
    if (!at.startsWith(`${raw}~`)) continue;
    const known = await Promise.all([weighing.ours, weighing.theirs].map((tree) => trees.find(tree, at)));
    if (known.every((each) => each === null)) found.push(at);
  }
  return found.map((at) => ({ path: shownPath(at), mode: "", oid: null }));
}

/** Of a file that a person wrote: executable as the side that changed it has it. */
function modeOf({ base, ours, theirs }: ConflictValue): string {
  const modes = [base, ours, theirs].map((side) => (side?.mode.startsWith("100") ? side.mode : null));
  const [before = null, left = null, right = null] = modes;
  if (left !== null && right !== null && before !== null) return left === before ? right : left;
  return [left, right].includes("100755") ? "100755" : (left ?? right ?? before ?? "100644");
}
