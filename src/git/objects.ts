/**
 * Reading objects through one `git cat-file --batch-command` that stays open. Trees and commits are parsed once and kept
 * by id: an id never changes its meaning.
 */
import { OxbowError } from "../core/errors.ts";
import type { LongProcess } from "../host/process.ts";
import { createByteQueue, createCache, type RawPath } from "./bytes.ts";
import { type GitSite, objectsMissing, startGit } from "./command.ts";
import type { Oid } from "./contract.ts";

export interface TreeEntry {
  /** Six digits: 100644, 100755, 120000, 160000, 040000 (a tree). */
  readonly mode: string;
  readonly oid: Oid;
}

/** Names in Git's order, each a raw path of one component. */
export type Tree = ReadonlyMap<RawPath, TreeEntry>;

export interface Commit {
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  /** Seconds since 1970. */
  readonly committed: number;
}

export interface ObjectReader {
  /** Throws objects_missing when the object is not there or of another type. */
  tree(oid: Oid): Promise<Tree>;
  commit(oid: Oid): Promise<Commit>;
  /** Tell what a commit or a tree that was just written says. */
  remember(oid: Oid, commit: Commit): void;
  rememberTree(oid: Oid, tree: Tree): void;
  /** Null when there is no such commit (also: an object of another type). */
  commitOrNull(oid: Oid): Promise<Commit | null>;
  /** An annotated tag; null when the object is none. */
  tag(oid: Oid): Promise<{ readonly name: string; readonly object: Oid } | null>;
  /** Throws not_text when it is larger than 256 MiB. */
  blob(oid: Oid): Promise<Buffer>;
  close(): Promise<void>;
}

const MAX_BLOB_BYTES = 256 * 1024 * 1024;
const CACHED_TREE_ENTRIES = 400_000;
const CACHED_COMMITS = 20_000;

export const TREE_MODE = "040000";

export function createObjectReader(site: GitSite): ObjectReader {
  const process = createBatch(site);
  const missing = (oid: Oid, type: string): OxbowError =>
    objectsMissing(`The repository has no ${type} ${oid}.`, site, { oid });
  const trees = createCache<Tree>(CACHED_TREE_ENTRIES);
  const commits = createCache<Commit>(CACHED_COMMITS);
  const commitOrNull = async (oid: Oid): Promise<Commit | null> => {
    const known = commits.get(oid);
    if (known !== undefined) return known;
    const found = await process.contents(oid);
    if (found === null || found.type !== "commit") return null;
    const commit = parseCommit(found.bytes.toString("latin1"));
    commits.set(oid, commit, 1);
    return commit;
  };
  const readTree = async (oid: Oid): Promise<Tree> => {
    const found = await process.contents(oid);
    if (found?.type !== "tree") throw missing(oid, "tree");
    const tree = parseTree(found.bytes, oid.length / 2);
    trees.set(oid, tree, tree.size + 1);
    return tree;
  };
  /** A hundred children that begin at one commit ask for the same trees at once: each is read and parsed once. */
  const reading = new Map<Oid, Promise<Tree>>();
  return {
    async tree(oid) {
      const known = trees.get(oid);
      if (known !== undefined) return known;
      const asked = reading.get(oid);
      if (asked !== undefined) return asked;
      const read = readTree(oid).finally(() => reading.delete(oid));
      reading.set(oid, read);
      return read;
    },
    async commit(oid) {
      const commit = await commitOrNull(oid);
      if (commit === null) throw missing(oid, "commit");
      return commit;
    },
    remember: (oid, commit) => commits.set(oid, commit, 1),
    rememberTree: (oid, tree) => trees.set(oid, tree, tree.size + 1),
    commitOrNull,
    async tag(oid) {
      if (commits.get(oid) !== undefined) return null;
      const found = await process.contents(oid);
      if (found?.type !== "tag") return null;
      const text = found.bytes.toString("latin1");
      const [, object = ""] = /^object ([0-9a-f]+)$/m.exec(text) ?? [];
      const [, name = ""] = /^tag (.*)$/m.exec(text) ?? [];
      return { name, object };
    },
    async blob(oid) {
      const info = await process.info(oid);
      if (info?.type !== "blob") throw missing(oid, "blob");
      if (info.size > MAX_BLOB_BYTES) {
        throw new OxbowError(
          "not_text",
          `The file has ${info.size} bytes; at most ${MAX_BLOB_BYTES} are read.`,
        );
      }
      const found = await process.contents(oid);
      if (found === null) throw missing(oid, "blob");
      return found.bytes;
    },
    close: process.close,
  };
}

function parseTree(bytes: Buffer, idBytes: number): Tree {
  const tree = new Map<RawPath, TreeEntry>();
  let at = 0;
  while (at < bytes.length) {
    const blank = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, blank);
    const mode = bytes.toString("latin1", at, blank).padStart(6, "0");
    const oid = bytes.toString("hex", end + 1, end + 1 + idBytes);
    tree.set(bytes.toString("latin1", blank + 1, end), { mode, oid });
    at = end + 1 + idBytes;
  }
  return tree;
}

function parseCommit(text: string): Commit {
  const header = text.split("\n\n", 1)[0] ?? "";
  const parents: Oid[] = [];
  let tree = "";
  let committed = 0;
  for (const line of header.split("\n")) {
    if (line.startsWith("tree ")) tree = line.slice(5);
    else if (line.startsWith("parent ")) parents.push(line.slice(7));
    else if (line.startsWith("committer ")) committed = Number(/> (-?\d+) /.exec(line)?.[1] ?? 0);
  }
  return { tree, parents, committed };
}

export interface ObjectInfo {
  readonly oid: Oid;
  readonly type: string;
  readonly size: number;
}

export interface Batch {
  /** `name` is an object id or a full ref; null when there is none. */
  info(name: string): Promise<ObjectInfo | null>;
  contents(name: string): Promise<(ObjectInfo & { bytes: Buffer }) | null>;
  close(): Promise<void>;
}

interface Waiting {
  readonly question: string;
  readonly wantsBytes: boolean;
  /** Asked once more when the process died over it. */
  tries: number;
  answer(found: (ObjectInfo & { bytes: Buffer }) | null): void;
  fail(error: OxbowError): void;
}

/** Refs are asked for by their full names: git need not look whether a shorter one could mean another. */
const CAT_FILE = ["-c", "core.warnAmbiguousRefs=false", "cat-file", "--batch-command", "--buffer"];

/** One `cat-file --batch-command`: started at the first question, again after a failure; questions are pipelined. */
export function createBatch(site: GitSite): Batch {
  let process: LongProcess | null = null;
  let waiting: Waiting[] = [];
  let next = 0;
  let unsent: string[] = [];
  let closed = false;

  const start = (): LongProcess => {
    const started = startGit(site, CAT_FILE);
    const queue = createByteQueue();
    let header: ObjectInfo | null = null;
    const step = (): boolean => {
      const asked = waiting[next];
      if (asked === undefined) return false;
      if (header === null) {
        const line = queue.until(0x0a);
        if (line === null) return false;
        header = parseHeader(line.toString("latin1"));
        if (header === null || !asked.wantsBytes) {
          next++;
          asked.answer(header === null ? null : { ...header, bytes: NO_BYTES });
          header = null;
          return true;
        }
      }
      const body = queue.take(header.size + 1);
      if (body === null) return false;
      next++;
      asked.answer({ ...header, bytes: body.subarray(0, header.size) });
      header = null;
      return true;
    };
    started.stdout.on("data", (chunk: Buffer) => {
      queue.push(chunk);
      while (step());
      if (next > 1000 || next === waiting.length) {
        waiting = waiting.slice(next);
        next = 0;
      }
    });
    void started.exited.then(() => {
      if (process !== started) return;
      process = null;
      const lost = waiting.slice(next);
      waiting = [];
      next = 0;
      unsent = [];
      for (const one of lost) {
        if (closed || one.tries > 0) {
          one.fail(new OxbowError("git_failed", `git cat-file ended: ${started.stderrTail().trim()}`));
        } else {
          one.tries++;
          enqueue(one);
        }
      }
    });
    return started;
  };

  const send = (): void => {
    if (unsent.length === 0) return;
    const text = unsent.join("");
    unsent = [];
    process ??= start();
    process.stdin.write(`${text}flush\n`);
  };

  const enqueue = (one: Waiting): void => {
    waiting.push(one);
    unsent.push(one.question);
    if (unsent.length === 1) queueMicrotask(send);
  };

  const ask = (verb: string, name: string, wantsBytes: boolean) =>
    new Promise<(ObjectInfo & { bytes: Buffer }) | null>((answer, fail) => {
      if (closed) return fail(new OxbowError("git_failed", "The repository has been closed."));
      if (/[\s\0]/.test(name) || name === "") return answer(null);
      enqueue({ question: `${verb} ${name}\n`, wantsBytes, tries: 0, answer, fail });
    });

  return {
    info: (name) => ask("info", name, false),
    contents: (name) => ask("contents", name, true),
    async close() {
      closed = true;
      await process?.close();
    },
  };
}

const NO_BYTES = Buffer.alloc(0);

/** `<oid> <type> <size>`, or `<name> missing` / `<name> ambiguous`. */
function parseHeader(line: string): ObjectInfo | null {
  const match = /^([0-9a-f]{40,64}) ([a-z]+) (\d+)$/.exec(line);
  const [, oid = "", type = "", size = "0"] = match ?? [];
  return match === null ? null : { oid, type, size: Number(size) };
}
