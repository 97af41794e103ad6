/** The kept-open processes of one repository and the questions that need no more than one of them. */
import { OxbowError } from "../core/errors.ts";
import { gitText, gitTextOrThrow } from "./command.ts";
import type { CommitWriter } from "./commit-writer.ts";
import type { Oid } from "./contract.ts";
import { type Batch, createBatch, createObjectReader, type ObjectReader } from "./objects.ts";
import { createLocks, type Locks } from "./ledger-locks.ts";
import { createRefFiles } from "./ref-files.ts";
import { createRefTransactions, type RefTransactions } from "./ref-transactions.ts";
import type { Setup } from "./setup.ts";
import { createTrees, type Trees } from "./trees.ts";

export interface Engine {
  readonly setup: Setup;
  readonly objects: ObjectReader;
  readonly trees: Trees;
  readonly commits: CommitWriter;
  readonly refs: RefTransactions;
  readonly locks: Locks;
  /** The object a full ref names, or null. */
  readRef(ref: string): Promise<Oid | null>;
  refsBelow(prefix: string): Promise<Map<string, Oid>>;
  isAncestor(ancestor: Oid, descendant: Oid): Promise<boolean>;
  /** As `isAncestor` without a process: true is sure, false may be wrong where clocks were. */
  seemsAncestor(ancestor: Oid, descendant: Oid): Promise<boolean>;
  close(): Promise<void>;
}

/** Commits looked at before the question is handed to git. */
const MAX_WALK = 2000;

export function createEngine(setup: Setup): Engine {
  const objects = createObjectReader(setup.objectSite);
  const names: Batch = createBatch(setup.refSite);
  const commits = lazyWriter(async () => {
    const [{ createCommitWriter }, { createObjectStore }] = await Promise.all([
      import("./commit-writer.ts"),
      import("./object-store.ts"),
    ]);
    return createCommitWriter(objects, createObjectStore(setup), setup.zero);
  });
  const refFiles = createRefFiles(setup.commonDir);
  const readRef = async (ref: string): Promise<Oid | null> => {
    const found = refFiles(ref);
    return found === undefined ? ((await names.info(ref))?.oid ?? null) : found;
  };
  const locks = createLocks(setup);
  const refs = createRefTransactions(setup.refSite, setup.zero, readRef, locks);

  /**
   * Walks back from `descendant` through commits that are not older than `ancestor`. "Not found" is only as sure as the
   * dates are, and there may have been too many.
   */
  const walk = async (ancestor: Oid, descendant: Oid): Promise<boolean> => {
    if (ancestor === descendant) return true;
    const wanted = await objects.commit(ancestor);
    const seen = new Set<Oid>([descendant]);
    let front = [descendant];
    while (front.length > 0) {
      if (seen.size > MAX_WALK) return false;
      const found = await Promise.all(front.map((oid) => objects.commitOrNull(oid)));
      const next: Oid[] = [];
      for (const commit of found) {
        if (commit === null || commit.committed < wanted.committed) continue;
        for (const parent of commit.parents) {
          if (parent === ancestor) return true;
          if (seen.has(parent)) continue;
          seen.add(parent);
          next.push(parent);
        }
      }
      front = next;
    }
    return false;
  };

  return {
    setup,
    objects,
    trees: createTrees(objects),
    commits,
    refs,
    locks,
    readRef,
    async refsBelow(prefix) {
      // A ref's own name: nothing can lie below it, and no process is needed.
      const exact = prefix.endsWith("/") ? null : await readRef(prefix);
      if (exact !== null) return new Map([[prefix, exact]]);
      const text = await gitTextOrThrow(setup.refSite, [
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        prefix.replace(/\/+$/, ""),
      ]);
      const found = new Map<string, Oid>();
      for (const line of text.split("\n")) {
        const blank = line.indexOf(" ");
        const ref = line.slice(blank + 1);
        if (blank > 0 && ref.startsWith(prefix)) found.set(ref, line.slice(0, blank));
      }
      return found;
    },
    async isAncestor(ancestor, descendant) {
      if (await walk(ancestor, descendant)) return true;
      const answer = await gitText(setup.objectSite, ["merge-base", "--is-ancestor", ancestor, descendant]);
      if (answer.exitCode > 1) throw new OxbowError("git_failed", answer.stderr.trim());
      return answer.exitCode === 0;
    },
    seemsAncestor: walk,
    async close() {
      await Promise.all([objects.close(), names.close(), commits.close(), refs.close()]);
    },
  };
}

/** Whoever only looks at a repository does not load what writes to it. */
function lazyWriter(make: () => Promise<CommitWriter>): CommitWriter {
  let made: Promise<CommitWriter> | null = null;
  const writer = () => (made ??= make());
  return {
    write: async (commit) => (await writer()).write(commit),
    writeChain: async (commits) => (await writer()).writeChain(commits),
    writeObject: async (type, body) => (await writer()).writeObject(type, body),
    close: async () => (await made)?.close(),
  };
}
