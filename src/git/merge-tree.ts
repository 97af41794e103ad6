/**
 * Merging trees with `git merge-tree --write-tree --stdin`, kept open. It writes without flushing, so it is started through
 * `stdbuf -o0`; where that is missing, and with a Git that has no `--stdin`, each merge is a process of its own.
 */
import { OxbowError } from "../core/errors.ts";
import { run } from "../host/process.ts";
import type { LongProcess } from "../host/process.ts";
import { createByteQueue, type RawPath } from "./bytes.ts";
import { gitEnv, gitFailed, runGit, startGit } from "./command.ts";
import type { Oid } from "./contract.ts";
import { createInOrder } from "./in-order.ts";
import { atLeast, type Setup } from "./setup.ts";

export interface MergeStage {
  readonly path: RawPath;
  readonly mode: string;
  readonly oid: Oid;
  /** 1 the base, 2 ours, 3 theirs. */
  readonly stage: number;
}

export interface MergeMessage {
  /** As git names it: `Auto-merging`, `CONFLICT (contents)` … */
  readonly type: string;
  readonly paths: readonly RawPath[];
  readonly text: string;
}

export interface TreeMerge {
  readonly clean: boolean;
  readonly tree: Oid;
  readonly stages: readonly MergeStage[];
  readonly messages: readonly MergeMessage[];
}

export interface TreeMerger {
  /** Merges two commits. Throws git_failed (no common ancestor, a missing object), cancelled. */
  merge(ours: Oid, theirs: Oid, signal?: AbortSignal): Promise<TreeMerge>;
  close(): Promise<void>;
}

const MERGES_PER_PROCESS = 1000;
/** A merge that takes longer has hung (or the helper does not flush): it is tried again as a process of its own. */
const PATIENCE_MS = 120_000;

export function createTreeMerger(setup: Setup): TreeMerger {
  const args = ["merge-tree", "--write-tree", "-z", "--messages"];
  let helper: Promise<Helper | null> | null = null;

  const open = async (): Promise<Helper | null> => {
    const { numbers } = await setup.version();
    if (!atLeast(numbers, [2, 39]) || !(await hasStdbuf(setup))) return null;
    return createHelper(() => startGit(setup.objectSite, [...args, "--stdin"], ["stdbuf", "-o0"]));
  };

  const alone = async (ours: Oid, theirs: Oid, signal?: AbortSignal): Promise<TreeMerge> => {
    const result = await runGit(setup.objectSite, [...args, ours, theirs], {}, signal);
    if (result.exitCode !== 0 && result.exitCode !== 1)
      throw gitFailed(args, result.stderr.toString("utf8"), setup.objectSite);
    const parser = createRecordParser();
    const status = Buffer.from(`${result.exitCode === 0 ? 1 : 0}\0`);
    // A single merge has neither the status in front nor the NULs that end empty sections.
    return parser.push(Buffer.concat([status, result.stdout, Buffer.from("\0\0\0")]))[0] ?? broken();
  };

  return {
    async merge(ours, theirs, signal) {
      const kept = await (helper ??= open());
      const merged = kept === null ? null : await kept.merge(`${ours} ${theirs}\n`);
      return merged ?? alone(ours, theirs, signal);
    },
    async close() {
      await (await helper)?.close();
    },
  };
}

const stdbufOn = new Map<string, Promise<boolean>>();

/** Asked once for each PATH: the answer does not change while we run. */
function hasStdbuf({ objectSite }: Setup): Promise<boolean> {
  const env = gitEnv(objectSite);
  const key = env["PATH"] ?? "";
  const known = stdbufOn.get(key);
  if (known) return known;
  const asked = run("stdbuf", ["-o0", "true"], { cwd: objectSite.cwd, env }).then(
    (probe) => probe.exitCode === 0,
  );
  stdbufOn.set(key, asked);
  return asked;
}

function broken(): never {
  throw new OxbowError("git_failed", "git merge-tree gave an answer that cannot be read.");
}

interface Helper {
  /** Null when the process ended instead: the merge alone will say why. */
  merge(line: string): Promise<TreeMerge | null>;
  close(): Promise<void>;
}

function createHelper(start: () => LongProcess): Helper {
  const merging = createInOrder<TreeMerge>(start, () => {
    const parser = createRecordParser();
    return (chunk) => parser.push(chunk);
  });
  let done = 0;
  return {
    async merge(line) {
      if (done >= MERGES_PER_PROCESS && merging.waiting() === 0) {
        done = 0;
        await merging.close();
      }
      done++;
      const timer = setTimeout(() => merging.kill(), PATIENCE_MS);
      const merge = await merging.ask(line);
      clearTimeout(timer);
      return merge;
    },
    close: () => merging.close(),
  };
}

/**
 * Fields end with NUL: the status, the tree, then stages (`<mode> <oid> <stage> TAB <path>`) up to an empty field, then
 * messages (`<n>`, n paths, type, text) up to an empty field, or one with Git's advice on submodules.
 */
function createRecordParser() {
  const queue = createByteQueue();
  let fields: string[] = [];
  const parse = (): TreeMerge | null => {
    let at = 0;
    const next = (): string | null => fields[at++] ?? null;
    const status = next();
    const tree = next();
    const stages: MergeStage[] = [];
    const messages: MergeMessage[] = [];
    for (let field = next(); field !== ""; field = next()) {
      if (field === null) return null;
      const [, mode = "", oid = "", stage = "", path = ""] =
        /^(\d+) ([0-9a-f]+) ([123])\t([^]*)$/.exec(field) ?? broken();
      stages.push({ mode, oid, stage: Number(stage), path });
    }
    for (let field = next(); field === null || /^\d+$/.test(field); field = next()) {
      if (field === null) return null;
      const end = at + Number(field) + 2;
      const taken = fields.slice(at, end);
      if (taken.length < Number(field) + 2) return null;
      at = end;
      messages.push({
        paths: taken.slice(0, -2),
        type: taken.at(-2) ?? "",
        text: (taken.at(-1) ?? "").trim(),
      });
    }
    if (status === null || tree === null) return null;
    fields = fields.slice(at);
    return { clean: status === "1", tree, stages, messages };
  };
  return {
    push(chunk: Buffer): TreeMerge[] {
      queue.push(chunk);
      for (let field = queue.until(0); field !== null; field = queue.until(0))
        fields.push(field.toString("latin1"));
      const merges: TreeMerge[] = [];
      for (let merge = parse(); merge !== null; merge = parse()) merges.push(merge);
      return merges;
    },
  };
}
