/**
 * Writes commits and the objects they need, in this process. What is asked for at the same time goes to the repository
 * together, so a hundred branches cost little more than one. No ref is moved here.
 */
import { OxbowError } from "../core/errors.ts";
import type { Identity, Oid } from "./contract.ts";
import { editTree, type TreeEdit } from "./edit-tree.ts";
import { newObject, type NewObject, type ObjectStore } from "./object-store.ts";
import type { ObjectReader, Tree } from "./objects.ts";

export interface NewCommit {
  /** The edits apply to the tree of the first; null there is the commit before it in the same chain. */
  readonly parents: readonly [Oid | null, ...Oid[]];
  readonly author: Identity;
  readonly committer: Identity;
  /** Seconds since 1970. */
  readonly time: number;
  readonly message: string;
  /** Edits, or the whole tree, which exists. */
  readonly content: { readonly edits: readonly TreeEdit[] } | { readonly tree: Oid };
}

export interface CommitWriter {
  /** The id of the new commit, on no ref. Throws git_failed. */
  write(commit: NewCommit): Promise<Oid>;
  /** Several at once, each of which may stand on the one before it; all or none are written. */
  writeChain(commits: readonly NewCommit[]): Promise<readonly Oid[]>;
  /** A small object of another kind: a tag, a blob, an empty tree, a commit without parents. */
  writeObject(type: "tag" | "blob" | "tree" | "commit", body: string): Promise<Oid>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

const MAX_BATCH_BYTES = 64 * 1024 * 1024;
/** A batch takes in what arrives while it is being made, but nobody waits for ever. */
const MAX_ROUNDS = 30;

/** New objects, and what they say. */
interface Made {
  readonly ids: readonly Oid[];
  readonly objects: readonly NewObject[];
  readonly trees: ReadonlyMap<Oid, Tree>;
  readonly commits: ReadonlyMap<Oid, { tree: Oid; parents: readonly Oid[]; committed: number }>;
}

interface Job {
  readonly make: () => Promise<Made>;
  readonly bytes: number;
  done(ids: readonly Oid[]): void;
  fail(error: unknown): void;
}

export function createCommitWriter(reader: ObjectReader, store: ObjectStore, zero: Oid): CommitWriter {
  const queue: Job[] = [];
  let running: Promise<void> | null = null;

  const makeChain = async (commits: readonly NewCommit[]): Promise<Made> => {
    const objects: NewObject[] = [];
    const trees = new Map<Oid, Tree>();
    const made = new Map<Oid, { tree: Oid; parents: readonly Oid[]; committed: number }>();
    const ids: Oid[] = [];
    const read = async (oid: Oid): Promise<Tree> => trees.get(oid) ?? reader.tree(oid);
    for (const commit of commits) {
      const [given, ...others] = commit.parents;
      const first = given ?? ids.at(-1);
      if (first === undefined) throw new OxbowError("internal", "The first of a chain needs a parent.");
      let tree: Oid;
      if ("tree" in commit.content) tree = commit.content.tree;
      else {
        const { edits } = commit.content;
        const base = made.get(first)?.tree ?? (await reader.commit(first)).tree;
        for (const edit of edits) {
          if (edit.mode !== null && edit.content !== null)
            objects.push({ oid: edit.oid, type: "blob", body: edit.content });
        }
        const edited =
          edits.length === 0 ? { root: base, made: [] } : await editTree(base, edits, read, zero);
        for (const { object, tree: entries } of edited.made) {
          objects.push(object);
          trees.set(object.oid, entries);
        }
        tree = edited.root;
      }
      const parents = [first, ...others];
      const object = newObject("commit", Buffer.from(commitText(commit, tree, parents)), zero);
      objects.push(object);
      made.set(object.oid, { tree, parents, committed: commit.time });
      ids.push(object.oid);
    }
    return { ids, objects, trees, commits: made };
  };

  /** Everything that is queued, and what joins while it is made. One that fails fails alone. */
  const gather = async (): Promise<readonly { job: Job; made: Made }[]> => {
    const ready: { job: Job; made: Made }[] = [];
    let bytes = 0;
    for (let round = 0; round < MAX_ROUNDS && queue.length > 0 && bytes < MAX_BATCH_BYTES; round++) {
      const jobs: Job[] = [];
      while (queue.length > 0 && bytes < MAX_BATCH_BYTES) {
        const job = queue.shift();
        if (!job) break;
        bytes += job.bytes;
        jobs.push(job);
      }
      await Promise.all(
        jobs.map(async (job) => {
          try {
            ready.push({ job, made: await job.make() });
          } catch (error) {
            job.fail(error);
          }
        }),
      );
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return ready;
  };

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = await gather();
      try {
        await store.write(batch.flatMap(({ made }) => made.objects));
        for (const { job, made } of batch) {
          for (const [oid, tree] of made.trees) reader.rememberTree(oid, tree);
          for (const [oid, commit] of made.commits) reader.remember(oid, commit);
          job.done(made.ids);
        }
      } catch (error) {
        for (const { job } of batch) job.fail(error);
      }
    }
    running = null;
  };

  const submit = (bytes: number, make: () => Promise<Made>): Promise<readonly Oid[]> =>
    new Promise((resolve, reject) => {
      queue.push({ make, bytes, done: resolve, fail: reject });
      running ??= new Promise<void>((started) => setImmediate(started)).then(work);
    });
  const writeChain = (commits: readonly NewCommit[]): Promise<readonly Oid[]> =>
    submit(
      commits.reduce((sum, commit) => sum + bytesOf(commit), 0),
      () => makeChain(commits),
    );

  return {
    write: async (commit) => (await writeChain([commit]))[0] ?? "",
    writeChain,
    async writeObject(type, body) {
      const object = newObject(type, Buffer.from(body), zero);
      const nothing = { trees: new Map(), commits: new Map() };
      await submit(body.length, async () => ({ ids: [object.oid], objects: [object], ...nothing }));
      return object.oid;
    },
    async close() {
      await running;
    },
  };
}

function bytesOf({ content }: NewCommit): number {
  if ("tree" in content) return 0;
  return content.edits.reduce((sum, edit) => sum + (edit.mode === null ? 0 : (edit.content?.length ?? 0)), 0);
}

function commitText(commit: NewCommit, tree: Oid, parents: readonly Oid[]): string {
  const { author, committer, time, message } = commit;
  const lines = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${author.name} <${author.email}> ${time} +0000`,
    `committer ${committer.name} <${committer.email}> ${time} +0000`,
  ];
  return `${lines.join("\n")}\n\n${message}`;
}
