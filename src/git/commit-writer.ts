/**
 * Writes commits through one `git fast-import` that stays open. Requests that arrive together go in one stream (group
 * commit), so a hundred branches cost about one. No real ref is moved here: fast-import checks no expected old value.
 */
import { OxbowError } from "../core/errors.ts";
import { newId } from "../host/ids.ts";
import type { LongProcess } from "../host/process.ts";
import { quotePath, type RawPath } from "./bytes.ts";
import { type GitSite, gitFailed, startGit } from "./command.ts";
import type { Identity, Oid } from "./contract.ts";

/** A file to put, by its bytes or (content null) by the id of an object that exists; `mode: null` removes the path. */
export type TreeEdit =
  | { readonly path: RawPath; readonly mode: string; readonly oid: Oid; readonly content: Uint8Array | null }
  | { readonly path: RawPath; readonly mode: null };

export interface NewCommit {
  /** The edits apply to the tree of the first. */
  readonly parents: readonly [Oid, ...Oid[]];
  readonly author: Identity;
  readonly committer: Identity;
  /** Seconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly edits: readonly TreeEdit[];
}

export interface CommitWriter {
  /** The id of the new commit, on no ref. Throws git_failed. */
  write(commit: NewCommit): Promise<Oid>;
  close(): Promise<void>;
}

const MAX_BATCH_BYTES = 64 * 1024 * 1024;
const MAX_BATCH_COMMITS = 1000;
/** A batch takes in what arrives while git works on it, but nobody waits for ever. */
const MAX_ROUNDS = 30;
/** From this many objects on fast-import leaves a pack, which it guards with a `.keep` file until it ends. */
const PACKED_OBJECTS = 40;
/** fast-import remembers every object it wrote; a new process forgets them. */
const COMMITS_PER_PROCESS = 5000;
/**
 * What it remembers it does not write again. Snapshots for a search are on no ref, so a `git gc --prune=now` may have taken
 * them since: an idle process is not trusted with its memory.
 */
const IDLE_MS = 15_000;

/**
 * Speed over size: what stays is packed again by `git gc` some day. Deflating costs more than all the rest of a commit. A
 * loose object costs a file, about a millisecond: as many as two commits have go in a pack.
 */
const FAST_IMPORT = [
  "-c",
  "pack.compression=1",
  "-c",
  `fastimport.unpackLimit=${PACKED_OBJECTS}`,
  "-c",
  "core.warnAmbiguousRefs=false",
  "fast-import",
  "--quiet",
  "--date-format=raw",
  "--depth=0",
];

interface Job {
  readonly commit: NewCommit;
  readonly bytes: number;
  done(oid: Oid): void;
  fail(error: unknown): void;
}

export function createCommitWriter(site: GitSite, zero: Oid): CommitWriter {
  const stream = createStream(site, zero);
  const queue: Job[] = [];
  let running: Promise<void> | null = null;

  /** Writes `batch`, and what `more` gives while git is busy with it. */
  const runBatch = async (batch: Job[], more: () => readonly Job[]): Promise<void> => {
    let written = await stream.send(commitsOf(batch), () => {
      const joining = more();
      batch.push(...joining);
      return commitsOf(joining);
    });
    // It ended without a complaint about the request: killed. Writing objects again does no harm.
    if (written === "") written = await stream.send(commitsOf(batch), () => []);
    if (typeof written !== "string") {
      for (const [i, job] of batch.entries()) job.done(written[i] ?? "");
    } else if (batch.length === 1) {
      batch[0]?.fail(gitFailed(["fast-import"], written, site));
    } else {
      // One bad request ends the stream for all: each gets a try of its own.
      for (const job of batch) await runBatch([job], () => []);
    }
  };

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      let bytes = 0;
      let room = MAX_BATCH_COMMITS;
      let rounds = 0;
      const take = (): readonly Job[] => {
        let count = 0;
        while (rounds < MAX_ROUNDS && count < queue.length && room > 0 && bytes < MAX_BATCH_BYTES) {
          bytes += queue[count]?.bytes ?? 0;
          room--;
          count++;
        }
        rounds++;
        return queue.splice(0, count);
      };
      const batch = [...take()];
      try {
        await runBatch(batch, take);
      } catch (error) {
        for (const job of batch) job.fail(error);
      }
    }
    running = null;
  };

  return {
    write(commit) {
      return new Promise<Oid>((resolve, reject) => {
        const bytes = commit.edits.reduce((sum, edit) => sum + sizeOf(edit), 0);
        queue.push({ commit, bytes, done: resolve, fail: reject });
        running ??= new Promise<void>((started) => setImmediate(started)).then(work);
      });
    },
    async close() {
      await running;
      await stream.close();
    },
  };
}

function commitsOf(jobs: readonly Job[]): readonly NewCommit[] {
  return jobs.map((job) => job.commit);
}

function sizeOf(edit: TreeEdit): number {
  return edit.mode === null ? 0 : (edit.content?.length ?? 0);
}

/** The process. `send` gives the new ids, or fast-import's words when it gave up. */
function createStream(site: GitSite, zero: Oid) {
  let process: LongProcess | null = null;
  let written = 0;
  let lines: string[] = [];
  let rest = "";
  let awaited = 0;
  let settle: ((alive: boolean) => void) | null = null;
  const retired = new Set<Promise<void>>();
  let idle: NodeJS.Timeout | undefined;

  const finish = (alive: boolean): void => {
    const waiting = settle;
    settle = null;
    waiting?.(alive);
  };
  /** False when the process ended before it had said so many lines. */
  const answers = (count: number): Promise<boolean> => {
    awaited = count;
    return new Promise((resolve) => {
      settle = resolve;
    });
  };
  const start = (): LongProcess => {
    const started = startGit(site, FAST_IMPORT);
    written = 0;
    rest = "";
    started.stdout.on("data", (chunk: Buffer) => {
      const parts = (rest + chunk.toString("latin1")).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      if (lines.length >= awaited) finish(true);
    });
    void started.exited.then(() => {
      if (process !== started) return;
      process = null;
      finish(false);
    });
    return started;
  };
  /** Lets the process end (it tidies up its packs then); whoever comes next starts another. */
  const retire = (): void => {
    clearTimeout(idle);
    if (process === null) return;
    const old = process.close(10_000).finally(() => retired.delete(old));
    retired.add(old);
    process = null;
  };

  return {
    /** Writes the commits, then those that `more` gives until it has none. */
    async send(first: readonly NewCommit[], more: () => readonly NewCommit[]): Promise<Oid[] | string> {
      clearTimeout(idle);
      const current = (process ??= start());
      const name = newId("batch");
      // All commits of a batch take turns on one name (each says where it starts from), which is dropped in the end:
      // a name each would cost more than writing the objects.
      const ref = `refs/oxbow/tmp/${name}`;
      lines = [];
      let sent = 0;
      let objects = 0;
      for (let commits = first; commits.length > 0; commits = more()) {
        const answered = answers(sent + commits.length);
        for (const commit of commits) {
          objects += 2 + 2 * commit.edits.length;
          const ready = current.stdin.write(encode(commit, ref, ++sent));
          if (ready || settle === null) continue;
          await Promise.race([new Promise((drained) => current.stdin.once("drain", drained)), answered]);
        }
        if (!(await answered)) return firstWords(current.stderrTail());
      }
      const ended = answers(sent + 1);
      current.stdin.write(`reset ${ref}\nfrom ${zero}\n\ncheckpoint\nprogress ${name}\n`);
      if (!(await ended)) return firstWords(current.stderrTail());
      written += sent;
      if (objects >= PACKED_OBJECTS || written >= COMMITS_PER_PROCESS) retire();
      else idle = setTimeout(retire, IDLE_MS).unref();
      if (lines.at(-1) !== `progress ${name}`)
        throw new OxbowError("git_failed", "fast-import lost an answer.");
      return lines.slice(0, sent);
    },
    async close() {
      retire();
      await Promise.all(retired);
    },
  };
}

function firstWords(stderr: string): string {
  const fatal = stderr.split("\n").find((line) => line.startsWith("fatal:"));
  return fatal ?? stderr.trim();
}

function encode(commit: NewCommit, ref: string, mark: number): Buffer {
  const message = Buffer.from(commit.message, "utf8");
  const parts: Uint8Array[] = [];
  const put = (text: string): void => void parts.push(Buffer.from(text, "utf8"));
  put(`commit ${ref}\nmark :${mark}\n`);
  put(`author ${commit.author.name} <${commit.author.email}> ${commit.time} +0000\n`);
  put(`committer ${commit.committer.name} <${commit.committer.email}> ${commit.time} +0000\n`);
  put(`data ${message.length}\n`);
  parts.push(message);
  const [first, ...others] = commit.parents;
  put(`\nfrom ${first}\n`);
  for (const other of others) put(`merge ${other}\n`);
  // Removals first: a path may then become a directory, or a directory a file.
  for (const edit of commit.edits) if (edit.mode === null) put(`D ${quotePath(edit.path)}\n`);
  for (const edit of commit.edits) {
    if (edit.mode === null) continue;
    if (edit.content === null) {
      put(`M ${edit.mode} ${edit.oid} ${quotePath(edit.path)}\n`);
      continue;
    }
    put(`M ${edit.mode} inline ${quotePath(edit.path)}\ndata ${edit.content.length}\n`);
    parts.push(edit.content);
    put("\n");
  }
  put(`\nget-mark :${mark}\n`);
  return Buffer.concat(parts);
}
