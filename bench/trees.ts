/** Repositories made from a seed: the same files, names and edits on every machine, written in one fast-import stream. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, linkSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { git, PLAIN_ENV } from "./measure.ts";

export const TREES = { small: 176, medium: 9_347, large: 100_000 } as const;
export type TreeName = keyof typeof TREES;

export interface Made {
  readonly name: TreeName;
  /** A repository on `main` with one commit and nothing checked out. */
  readonly dir: string;
  readonly base: string;
  readonly paths: readonly string[];
}

export interface Edit {
  readonly path: string;
  readonly content: string;
}

export interface ChildWork {
  readonly agent: string;
  readonly edits: readonly Edit[];
}

const SEED = 20_261_120;
const FILES_PER_DIRECTORY = 9;
const DEEPEST = 7;
/** A large tree shares contents: each is still a file of its own in every checkout. */
const DISTINCT_CONTENTS = 8_000;
const WORDS =
  "branch signal lease ticket owner merge outcome child topic cursor fence commit tree river bend yoke".split(
    " ",
  );

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** Directories grow under one another at random, and the files are dealt out among them. */
export function makePaths(count: number, random: () => number): string[] {
  const directories = [{ name: "", depth: 0 }];
  while (directories.length < Math.ceil(count / FILES_PER_DIRECTORY)) {
    const parent = pick(random, directories);
    if (parent.depth === DEEPEST) continue;
    const name = `${parent.name}${pick(random, WORDS)}-${directories.length}/`;
    directories.push({ name, depth: parent.depth + 1 });
  }
  return Array.from(
    { length: count },
    (_, i) => `${pick(random, directories).name}${pick(random, WORDS)}-${i}.ts`,
  );
}

/** 300 bytes to 9 kB, most of them short: about 3 kB on average. */
function makeText(random: () => number, title: string): string {
  const length = 300 + Math.floor(random() ** 2 * 8_700);
  let text = `// ${title}\n`;
  while (text.length < length) {
    text += `export const ${pick(random, WORDS)}${Math.floor(random() * 1e6)} = "${pick(random, WORDS)} ${pick(random, WORDS)}";\n`;
  }
  return text;
}

export async function makeRepository(home: string, name: TreeName): Promise<Made> {
  const random = createRandom(SEED + TREES[name]);
  const dir = path.join(home, `tree-${name}`);
  mkdirSync(dir);
  git(dir, ["init", "-q", "-b", "main"]);
  git(dir, ["config", "user.name", "Bench"]);
  git(dir, ["config", "user.email", "bench@example.com"]);
  const paths = makePaths(TREES[name], random);
  const contents = Math.min(paths.length, DISTINCT_CONTENTS);
  const writer = spawn("git", ["fast-import", "--quiet", "--date-format=raw"], {
    cwd: dir,
    env: PLAIN_ENV,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(writer, "close");
  const put = async (text: string) => {
    if (!writer.stdin.write(text)) await once(writer.stdin, "drain");
  };
  for (let mark = 1; mark <= contents; mark++) {
    const text = makeText(random, `content ${mark}`);
    await put(`blob\nmark :${mark}\ndata ${text.length}\n${text}\n`);
  }
  await put(
    "commit refs/heads/main\ncommitter Bench <bench@example.com> 1700000000 +0000\ndata 6\nStart\n\n",
  );
  for (const [i, file] of paths.entries()) await put(`M 100644 :${1 + (i % contents)} ${file}\n`);
  writer.stdin.end();
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  return { name, dir, base: git(dir, ["rev-parse", "main"]), paths };
}

/**
 * `files` edits for each child, on paths drawn from the whole tree, no path twice. When the tree has no more files, new
 * ones are added.
 */
export function makeWork(made: Made, children: number, files: number): ChildWork[] {
  const random = createRandom(SEED + children);
  const free = [...made.paths];
  const draw = (fallback: string): string => {
    if (free.length === 0) return fallback;
    const at = Math.floor(random() * free.length);
    const drawn = free[at] as string;
    free[at] = free.at(-1) as string;
    free.pop();
    return drawn;
  };
  return Array.from({ length: children }, (_, n) => {
    const agent = `Agent-${String(n + 1).padStart(3, "0")}`;
    const edits = Array.from({ length: files }, (_, k) => {
      const file = draw(`added/${agent}/file-${k}.ts`);
      return { path: file, content: makeText(random, `${agent} edits ${file}`) };
    });
    return { agent, edits };
  });
}

/** A copy that shares only the packs, which nobody changes in place. */
export function copyRepository(made: Made, to: string): string {
  const packs = path.join(made.dir, ".git", "objects", "pack");
  cpSync(made.dir, to, { recursive: true, filter: (file) => !file.startsWith(packs + path.sep) });
  for (const name of readdirSync(packs)) {
    linkSync(path.join(packs, name), path.join(to, ".git", "objects", "pack", name));
  }
  return to;
}
