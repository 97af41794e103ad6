/**
 * Paths that a `.gitattributes` wants merged in a special way (`merge=…`, `-merge`, `binary`). Oxbow runs no merge driver,
 * so when both sides changed such a path, that is a conflict.
 */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { newId } from "../host/ids.ts";
import type { RawPath } from "./bytes.ts";
import { runGitOrThrow } from "./command.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";

const FILE = ".gitattributes";

/** Those of `paths` with a merge attribute in one of the trees. A process is started only where attributes may say so. */
export async function withMergeAttribute(
  engine: Engine,
  trees: readonly Oid[],
  paths: readonly RawPath[],
): Promise<ReadonlySet<RawPath>> {
  const special = new Set<RawPath>();
  if (paths.length === 0) return special;
  for (const tree of new Set(trees)) {
    const files = await attributeFiles(engine, tree, paths);
    if (files.length === 0) continue;
    for (const found of await ask(engine, files, paths)) special.add(found);
  }
  return special;
}

interface AttributeFile {
  readonly path: RawPath;
  readonly oid: Oid;
}

/** The attribute files above the paths; none when no word in them could set `merge`. */
async function attributeFiles(
  engine: Engine,
  tree: Oid,
  paths: readonly RawPath[],
): Promise<AttributeFile[]> {
  const directories = new Set<RawPath>([""]);
  for (const one of paths) {
    for (let at = one.indexOf("/"); at > 0; at = one.indexOf("/", at + 1))
      directories.add(one.slice(0, at + 1));
  }
  const files: AttributeFile[] = [];
  let telling = false;
  for (const directory of directories) {
    const entry = await engine.trees.find(tree, directory + FILE);
    if (entry === null || !entry.mode.startsWith("100")) continue;
    files.push({ path: directory + FILE, oid: entry.oid });
    telling ||= /merge|binary|\[attr\]/.test((await engine.objects.blob(entry.oid)).toString("latin1"));
  }
  return telling ? files : [];
}

/** `git check-attr` over an index that holds nothing but the attribute files. */
async function ask(
  engine: Engine,
  files: readonly AttributeFile[],
  paths: readonly RawPath[],
): Promise<readonly RawPath[]> {
  const dir = path.join(engine.setup.stateDir, "tmp");
  await mkdir(dir, { recursive: true });
  const indexFile = path.join(dir, newId("index"));
  const site = { ...engine.setup.objectSite, indexFile };
  try {
    const entries = files.map((file) => `100644 ${file.oid}\t${file.path}\0`).join("");
    await runGitOrThrow(site, ["update-index", "-z", "--index-info"], {
      input: Buffer.from(entries, "latin1"),
    });
    const input = Buffer.from(paths.map((one) => `${one}\0`).join(""), "latin1");
    const output = await runGitOrThrow(site, ["check-attr", "--cached", "-z", "--stdin", "merge"], { input });
    const fields = output.toString("latin1").split("\0");
    return paths.filter((_, i) => !["unspecified", "set"].includes(fields[3 * i + 2] ?? "unspecified"));
  } finally {
    await rm(indexFile, { force: true });
  }
}
