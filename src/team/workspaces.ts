/** The clones in which programs run, as `workspace:` of the team file wants them: how many, what is set up, what is linked. */
import { constants, lstatSync } from "node:fs";
import { cp } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Task } from "../core/model.ts";
import type { PoolRequest, Preparation, WorkOwner, Workspace } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Bind } from "../host/program-files.ts";
import type { Engine } from "./engine.ts";
import type { Slots } from "./slots.ts";
import { OxbowError } from "../core/errors.ts";
import { splitWords } from "../core/words.ts";
import { makeFolder } from "../host/folders.ts";
import { realOrNull } from "../host/program-files.ts";
import { clearUp } from "./clear-up.ts";
import { runSetup } from "./workspace-setup.ts";
import { ownerOf } from "./work-owner.ts";

/** A file or folder of the user's checkout that every clone has. */
interface Link {
  readonly path: string;
  /** Where it really is. */
  readonly from: string;
  readonly kind: "folder" | "file";
}

export interface AttemptWorkspace {
  readonly workspace: Workspace;
  /** What is mounted in it, read-only. */
  readonly links: readonly Bind[];
}

/** One of the pool for this attempt. While it waits for one, its place is given to others. Throws as `openTaskWorkspace`. */
export async function openAttemptWorkspace(
  { engine, lease, slots }: { engine: Engine; lease: Lease; slots: Slots },
  tree: Parameters<typeof ownerOf>[1] & { readonly tip: string },
  signal: AbortSignal,
): Promise<AttemptWorkspace> {
  return openTaskWorkspace(
    engine,
    lease.task,
    {
      commit: tree.tip,
      branch: tree.branch,
      owner: ownerOf(lease, tree),
      waiting: (wait) => slots.parked(wait, signal),
    },
    signal,
  );
}

export interface WantedWorkspace {
  readonly commit: string;
  /** What HEAD is called in it. */
  readonly branch: string;
  /** Whose changes it holds; without one they are nobody's. */
  readonly owner?: WorkOwner;
  waiting<T>(wait: () => Promise<T>): Promise<T>;
}

/** One of the pool, for a commit of the task. Throws workspace_link, setup_failed, and what Repository.workspace throws. */
export async function openTaskWorkspace(
  engine: Engine,
  task: Task,
  { waiting, ...at }: WantedWorkspace,
  signal: AbortSignal,
): Promise<AttemptWorkspace> {
  const { workspace: wanted } = engine.team;
  const links = findLinks(engine);
  // Without a sandbox nothing can be mounted; a copy is the clone's own.
  const mounted = (await engine.sandbox.state()).kind === "bubblewrap";
  const pool: PoolRequest = {
    most: wanted.pool,
    keep: wanted.keep,
    prepare: await preparation(engine, task, links, mounted),
    links: links.map(({ path }) => path),
    places: mounted ? links.map(({ path, kind }) => ({ path, kind })) : [],
    waiting,
    clearUp: () => clearUp(engine),
  };
  const workspace = await engine.repo.workspace({ ...at, pool }, signal);
  return { workspace, links: mounted ? bindsIn(workspace.dir, links) : [] };
}

function bindsIn(dir: string, links: readonly Link[]): readonly Bind[] {
  const places = [...new Set([dir, realOrNull(dir) ?? dir])];
  return places.flatMap((place) => links.map(({ path, from }) => ({ from, to: join(place, path) })));
}

/** What `workspace.link` names. Throws workspace_link when something is not there. */
export function findLinks({ team, repo }: Pick<Engine, "team" | "repo">): readonly Link[] {
  return team.workspace.link.map((path) => {
    const details = { path };
    if (repo.bare) {
      const message = `workspace.link names ${path}, but ${repo.root} is a bare repository: it has no checkout.`;
      const hint = "Use workspace.setup, or work in a repository with a checkout.";
      throw new OxbowError("workspace_link", message, { hint, details });
    }
    const from = realOrNull(join(repo.root, path));
    if (from === null)
      throw new OxbowError("workspace_link", `workspace.link names ${path}, which is not in ${repo.root}.`, {
        details,
      });
    return { path, from, kind: lstatSync(from).isDirectory() ? "folder" : "file" };
  });
}

async function preparation(
  engine: Engine,
  task: Task,
  links: readonly Link[],
  mounted: boolean,
): Promise<Preparation | null> {
  const { setup } = engine.team.workspace;
  const copies = mounted ? [] : links;
  if (setup.length === 0 && copies.length === 0) return null;
  const commit = task.base_commit;
  const inputs = setup.length === 0 ? [] : await inputsOf(engine, commit, setup);
  const state = copies.map((link) => [link.path, link.from, ...timesOf(link)]);
  const key = createHash("sha256")
    .update(JSON.stringify([setup, inputs, state]))
    .digest("hex");
  return {
    key,
    commit,
    async run(place, signal) {
      for (const { path, from } of copies) await copyInto(join(place.dir, path), from);
      const binds = mounted ? bindsIn(place.dir, links) : [];
      for (const command of setup) await runSetup(engine, place, { command, binds }, signal);
    },
  };
}

/** Files that say what a set-up installs, wherever they are; and whatever its commands name. */
const MANIFESTS: ReadonlySet<string> = new Set(
  `package.json package-lock.json npm-shrinkwrap.json .npmrc .yarnrc.yml yarn.lock
   pnpm-lock.yaml pnpm-workspace.yaml bun.lock bun.lockb deno.json deno.lock
   pyproject.toml poetry.lock uv.lock Pipfile Pipfile.lock setup.py
   setup.cfg Cargo.toml Cargo.lock go.mod go.sum Gemfile
   Gemfile.lock composer.json composer.lock pom.xml build.gradle build.gradle.kts
   Makefile .tool-versions .nvmrc`.split(/\s+/),
);

/** Paths and ids of what a set-up goes by: when one of them changes, it is made again. */
async function inputsOf({ repo }: Engine, commit: string, setup: readonly string[]) {
  const words = new Set(setup.flatMap(splitWords).map((word) => word.replace(/^\.\//, "")));
  const files = await repo.listFiles(commit);
  return files.flatMap(({ path, oid }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const counts = MANIFESTS.has(name) || /^requirements.*\.txt$/.test(name) || words.has(path);
    return counts ? [[path, oid]] : [];
  });
}

/** When it was last written, or installed into, as far as it tells. */
function timesOf({ from, kind }: Link): readonly number[] {
  const inside = kind === "folder" ? [".package-lock.json", ".modules.yaml"] : [];
  const marks = [from, ...inside.map((name) => join(from, name))];
  return marks.map((file) => lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}

/** Bytes of its own, shared with the original only where the file system copies on write; links stay links. */
async function copyInto(to: string, from: string): Promise<void> {
  makeFolder(dirname(to));
  await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}
