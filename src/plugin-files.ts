/**
 * A plugin's files as a commit has them, put where Node can import them: `<state>/plugins/<hash of what is in it>`.
 *
 * What belongs to a plugin is found by reading: each text in quotes that begins with `./` or `../` and names a committed
 * file, or with a slash at its end a folder, brings it along, and so on. So a change elsewhere in the repository changes
 * nothing here.
 */
import { createHash } from "node:crypto";
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { Repository } from "./git/contract.ts";
import { OxbowError } from "./core/errors.ts";

const MOST_FILES = 1_000;
const MOST_BYTES = 32 * 1024 * 1024;
/** Unused for so long, a plugin's folder is taken away. */
const KEPT_MS = 30 * 24 * 3_600_000;
const MODULE = /\.[cm]?[jt]s$/;
const SYMLINK = "120000";
const SUBMODULE = "160000";

type Files = ReadonlyMap<string, Uint8Array>;

export interface PluginSource {
  readonly repo: Pick<Repository, "listFiles" | "readBlob" | "stateDir" | "root" | "bare">;
  readonly commit: string;
  /** How the commit was named, for messages. */
  readonly rev: string;
}

/** The absolute path of the file to import. Throws plugin_failed. */
export async function materialise(source: PluginSource, path: string): Promise<string> {
  const files = await closure(source, path);
  const home = await kept(source, withType(files, path), foldersAbove(path));
  return join(home, path);
}

/** A module that is the named package, as the repository's root sees it. */
export async function materialisePackage(source: PluginSource, name: string): Promise<string> {
  const entry = `export { default } from ${JSON.stringify(name)};\n`;
  const home = await kept(source, new Map([["plugin.mjs", Buffer.from(entry)]]), [""]);
  return join(home, "plugin.mjs");
}

async function closure({ repo, commit, rev }: PluginSource, entry: string): Promise<Files> {
  const all = await repo.listFiles(commit);
  const modes = new Map(all.map(({ path, mode }) => [path, mode]));
  const refuse = (why: string): OxbowError =>
    new OxbowError("plugin_failed", `The plugin ./${entry} ${why}.`);
  if (!modes.has(entry)) throw refuse(`is not in ${rev} (${commit.slice(0, 12)})`);
  const found = new Map<string, Uint8Array>();
  const waiting = [entry];
  let bytes = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    const mode = modes.get(path);
    if (mode === SYMLINK || mode === SUBMODULE) throw refuse(`needs ${path}, which is no plain file`);
    const content = (await repo.readBlob(commit, path)) ?? new Uint8Array();
    found.set(path, content);
    bytes += content.byteLength;
    if (found.size > MOST_FILES || bytes > MOST_BYTES)
      throw refuse(`brings more than ${MOST_FILES} files or ${MOST_BYTES} bytes along`);
    if (!MODULE.test(path)) continue;
    for (const name of namedIn(content, path)) {
      if (modes.has(name)) waiting.push(name);
      else if (name.endsWith("/"))
        waiting.push(...all.flatMap((one) => (one.path.startsWith(name) ? [one.path] : [])));
    }
  }
  for (const folder of foldersAbove(entry)) {
    const manifest = posix.join(folder, "package.json");
    const content = modes.has(manifest) ? await repo.readBlob(commit, manifest) : null;
    if (content !== null) found.set(manifest, content);
  }
  return found;
}

/** What the relative texts in quotes of a module could mean: normalised, inside of the repository. */
function namedIn(content: Uint8Array, path: string): readonly string[] {
  const text = new TextDecoder().decode(content);
  const names = [...text.matchAll(/(["'`])(\.{1,2}\/[^"'`\n\\]*)\1/g)].map((match) => match[2] ?? "");
  return [...new Set(names)].flatMap((name) => {
    const at = posix.join(posix.dirname(path), name);
    if (/^\.\.?(?:\/|$)/.test(at)) return [];
    // `require` adds the endings.
    return at.endsWith("/") ? [at] : [at, `${at}.js`, `${at}.cjs`, `${at}.json`];
  });
}

/** "" is the top. From there downwards. */
function foldersAbove(path: string): readonly string[] {
  const names = posix
    .dirname(path)
    .split("/")
    .filter((name) => name !== ".");
  return ["", ...names.map((_name, i) => names.slice(0, i + 1).join("/"))];
}

/** Node would look above for what the nearest package.json does not say, and find what nobody committed. */
function withType(files: Files, entry: string): Files {
  const manifest = files.get("package.json");
  const fields = manifest === undefined ? {} : readFields(manifest, entry);
  if ("type" in fields) return files;
  const text = new TextDecoder().decode(files.get(entry));
  const type = /^\s*(?:import|export)\b/m.test(text) ? "module" : "commonjs";
  return new Map([...files, ["package.json", Buffer.from(JSON.stringify({ ...fields, type }))]]);
}

function readFields(manifest: Uint8Array, entry: string): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(manifest));
    return typeof value === "object" && value !== null ? value : {};
  } catch (cause) {
    throw new OxbowError("plugin_failed", `The plugin ./${entry} has a package.json that is no JSON.`, {
      cause,
    });
  }
}

/** Bare names resolve in the `node_modules` of the checkout, beside the plugin's own folders. */
async function kept({ repo }: PluginSource, files: Files, folders: readonly string[]): Promise<string> {
  const links: (readonly [at: string, to: string])[] = [];
  for (const folder of repo.bare ? [] : folders) {
    const installed = join(repo.root, folder, "node_modules");
    if (await isFolder(installed)) links.push([join(folder, "node_modules"), installed]);
  }
  const hash = createHash("sha256");
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path}\0${content.byteLength}\0`).update(content);
  hash.update(JSON.stringify(links));
  const home = join(repo.stateDir, "plugins", hash.digest("hex").slice(0, 40));
  if (!(await holds(home, files))) await put(home, files, links);
  const now = new Date();
  await utimes(home, now, now);
  await clearOld(dirname(home), home);
  return home;
}

async function put(home: string, files: Files, links: readonly (readonly [string, string])[]): Promise<void> {
  const draft = `${home}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    for (const [path, content] of files) {
      await mkdir(dirname(join(draft, path)), { recursive: true, mode: 0o700 });
      await writeFile(join(draft, path), content);
    }
    for (const [at, to] of links) await symlink(to, join(draft, at));
    await rename(draft, home).catch(async (error: unknown) => {
      // Another process was faster with the same; or somebody has been at what was there.
      if (await holds(home, files)) return;
      if (!(await isFolder(home))) throw error;
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
      await rename(draft, home);
    });
  } finally {
    await rm(draft, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Whatever happened to the folder since: what is imported is what was committed. */
async function holds(home: string, files: Files): Promise<boolean> {
  if (!(await isFolder(home))) return false;
  for (const [path, content] of files) {
    const at = join(home, path);
    const isFile = await lstat(at).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isFile || !(await readFile(at)).equals(content)) return false;
  }
  return true;
}

async function clearOld(folder: string, used: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (path === used) continue;
    const at = await stat(path).then(
      (found) => found.mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - at > KEPT_MS) await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
