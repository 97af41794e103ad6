/**
 * Many merges onto one target. `merge-tree` writes every tree on the way as a loose file, which costs far more than the
 * merging; so here the objects of a batch go to a scratch directory in memory, reach the repository as packs, and
 * the target moves once, by compare-and-swap, after them. Whatever is not plainly clean (a conflict, a file both sides
 * touched, somebody else's move) takes the ordinary way, one by one.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { hasCode } from "../core/errors.ts";
import { refuseCheckedOut } from "./checkouts.ts";
import { type GitSite, runGitOrThrow } from "./command.ts";
import type { MergeResult, MergeSource, Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { mergeCommit, type MergeRequest } from "./merge.ts";
import { createTreeMerger } from "./merge-tree.ts";
import { nowSeconds } from "./message.ts";
import { newWorkspaceName, removeTree, SCRATCH_PREFIX, scratchRoots } from "./workspace-home.ts";

export interface BatchRequest {
  readonly target: string;
  readonly start: Oid;
  readonly sources: readonly MergeSource[];
}

/** Below this a scratch directory and a pack cost more than they save. */
const WORTH_IT = 3;
/** Merges whose objects travel together. */
const CARRIED_AT_ONCE = 48;

/** One result for each source, in order; what each names is as durable and as checked as after single merges. */
export async function mergeAll(
  engine: Engine,
  request: BatchRequest,
  mergeOne: (request: MergeRequest) => Promise<MergeResult>,
): Promise<readonly MergeResult[]> {
  const { target, start, sources } = request;
  const results: MergeResult[] = [];
  const alone = async (source: MergeSource) => {
    results.push(await mergeOne({ target, start, source }));
  };
  let rest = [...sources];
  while (rest.length >= WORTH_IT) {
    const merged = await mergeClean(engine, { target, start, sources: rest });
    for (const commit of merged) results.push({ kind: "merged", commit });
    rest = rest.slice(merged.length);
    const next = rest.shift();
    if (next) await alone(next);
  }
  for (const source of rest) await alone(source);
  return results;
}

/** The merge commits of the longest clean run at the front; [] when the batch could not be brought in. */
async function mergeClean(engine: Engine, request: BatchRequest): Promise<readonly Oid[]> {
  const { target, start } = request;
  const ref = `refs/heads/${target}`;
  refuseCheckedOut(engine.setup, ref);
  const tip = await engine.readRef(ref);
  const scratch = makeScratch(engine);
  const carrier = createCarrier(engine, scratch);
  try {
    const commits = await mergeInScratch(engine, scratch, tip ?? start, request, carrier);
    await carrier.finish();
    const last = commits.at(-1);
    if (last === undefined) return [];
    await engine.refs.apply([{ ref, old: tip, new: last }]);
    return commits;
  } catch (error) {
    // A full scratch directory, or somebody else's move: the ordinary way says what is wrong, or does it.
    if (hasCode(error, "git_failed") || hasCode(error, "branch_moved")) return [];
    throw error;
  } finally {
    await carrier.finish().catch(() => undefined);
    await removeTree(scratch.dir);
  }
}

interface Scratch {
  readonly dir: string;
  readonly site: GitSite;
}

/** In memory where the system has such a directory; else on the disk, which is only slower. */
function makeScratch({ setup }: Engine): Scratch {
  const name = SCRATCH_PREFIX + newWorkspaceName();
  const real = setup.objectSite.objectDir ?? path.join(setup.commonDir, "objects");
  for (const root of scratchRoots(setup)) {
    const dir = path.join(root, name);
    try {
      mkdirSync(path.join(dir, "info"), { recursive: true, mode: 0o700 });
      return { dir, site: { ...setup.objectSite, objectDir: dir, alternates: real } };
    } catch (error) {
      if (root === setup.stateDir) throw error;
    }
  }
  throw new Error("no scratch directory");
}

async function mergeInScratch(
  engine: Engine,
  { dir, site }: Scratch,
  from: Oid,
  { target, sources }: BatchRequest,
  carrier: Carrier,
): Promise<Oid[]> {
  const merger = createTreeMerger({ ...engine.setup, objectSite: site });
  const commits: Oid[] = [];
  try {
    let onto = from;
    let tree = (await engine.objects.commit(from)).tree;
    for (const source of sources) {
      const merge = await merger.merge(onto, source.commit);
      const plain = merge.clean && merge.tree !== tree && merge.messages.length === 0;
      if (!plain) break;
      const parents = [onto, source.commit];
      const text = mergeCommit(engine, merge.tree, parents, source, target, nowSeconds());
      onto = writeLooseCommit(dir, text, engine.setup.zero.length === 64 ? "sha256" : "sha1");
      tree = merge.tree;
      commits.push(onto);
      if (commits.length % CARRIED_AT_ONCE === 0) carrier.carry();
    }
    carrier.carry();
    return commits;
  } finally {
    await merger.close();
  }
}

/** A commit in the scratch directory, in Git's loose format; `index-pack` checks it again on its way in. */
function writeLooseCommit(dir: string, text: string, algorithm: "sha1" | "sha256"): Oid {
  const body = Buffer.from(text);
  const object = Buffer.concat([Buffer.from(`commit ${body.length}\0`), body]);
  const oid = createHash(algorithm).update(object).digest("hex");
  mkdirSync(path.join(dir, oid.slice(0, 2)), { recursive: true });
  writeFileSync(path.join(dir, oid.slice(0, 2), oid.slice(2)), deflateSync(object, { level: 1 }));
  return oid;
}

interface Carrier {
  /** Sends what is new in the scratch directory on its way; merging goes on meanwhile. */
  carry(): void;
  /** Waits until everything sent is in the repository. Throws git_failed. */
  finish(): Promise<void>;
}

/** Objects reach the repository as packs, which git flushes to the disk before they are in place. */
function createCarrier(engine: Engine, { dir, site }: Scratch): Carrier {
  const sent = new Set<string>();
  let last: Promise<void> = Promise.resolve();
  const fresh = () => {
    const folders = readdirSync(dir).filter((name) => /^[0-9a-f]{2}$/.test(name));
    const found = folders.flatMap((name) =>
      readdirSync(path.join(dir, name))
        .filter((rest) => /^[0-9a-f]+$/.test(rest))
        .map((rest) => name + rest),
    );
    const news = found.filter((oid) => !sent.has(oid));
    for (const oid of news) sent.add(oid);
    return news;
  };
  const send = async (oids: readonly string[]) => {
    const pack = await runGitOrThrow(site, ["pack-objects", "--stdout", "-q", "--window=0", "--threads=1"], {
      input: `${oids.join("\n")}\n`,
      maxOutputBytes: Number.POSITIVE_INFINITY,
    });
    await runGitOrThrow(engine.setup.objectSite, ["index-pack", "--stdin"], { input: pack });
  };
  return {
    carry() {
      const oids = fresh();
      if (oids.length === 0) return;
      last = Promise.all([last, send(oids)]).then(() => undefined);
      // Whoever finishes hears of a failure; until then it is nobody's.
      last.catch(() => undefined);
    },
    finish: () => last,
  };
}
