/** Whether work can be done on a repository as it is, and what a person should know about it. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { readHead } from "./branches.ts";
import { objectsMissing, runGitOrThrow } from "./command.ts";
import type { Oid, RepositoryNote } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { lfsPatterns } from "./lfs.ts";
import { shellWord } from "./setup.ts";

/** Git knows the tree without files by its id in every repository. */
const EMPTY_TREE = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
};

/** Throws git_too_old, repository_read_only, objects_missing. */
export async function checkReady(engine: Engine, commit: Oid, needs: { files: boolean }): Promise<void> {
  await engine.setup.version();
  const locked = notWritable(engine);
  if (locked !== null) throw new OxbowError("repository_read_only", locked);
  if (!needs.files || engine.setup.promisor === null) return;
  const missing = await missingFrom(engine, commit);
  if (missing === 0) return;
  throw objectsMissing(
    `${missing} object${missing === 1 ? "" : "s"} of ${commit.slice(0, 12)} ${missing === 1 ? "is" : "are"} not in this partial clone, and a program needs all files.`,
    { ...engine.setup.objectSite, missingHint: fetchCommit(engine, commit) },
    { commit, missing },
  );
}

/** One batch for all files of one commit: a difference makes Git ask for everything it lacks at once. */
function fetchCommit({ setup }: Engine, commit: Oid): string {
  const empty = setup.zero.length === 64 ? EMPTY_TREE.sha256 : EMPTY_TREE.sha1;
  return `Bring them: git -C ${shellWord(setup.root)} diff --shortstat ${empty} ${commit.slice(0, 12)}`;
}

function notWritable({ setup }: Engine): string | null {
  for (const dir of [path.join(setup.commonDir, "objects"), path.join(setup.commonDir, "refs")]) {
    try {
      accessSync(dir, constants.W_OK);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "?";
      return `${dir} cannot be written (${code}).`;
    }
  }
  return null;
}

/** How many objects of a commit's files are not here. A tree that is missing counts as one, whatever it holds. */
async function missingFrom(engine: Engine, commit: Oid): Promise<number> {
  let missing = 0;
  await runGitOrThrow(
    engine.setup.objectSite,
    ["rev-list", "--objects", "--no-walk", "--no-object-names", "--missing=print", commit],
    { maxOutputBytes: 8192, onStdout: (text) => void (missing += text.split("?").length - 1) },
  );
  return missing;
}

export async function repositoryNotes(engine: Engine): Promise<readonly RepositoryNote[]> {
  const { setup } = engine;
  const notes: RepositoryNote[] = [];
  const warn = (check: string, found: string, hint: string): void =>
    void notes.push({ check, state: "warning", found, hint });
  const locked = notWritable(engine);
  if (locked !== null)
    notes.push({
      check: "permissions",
      state: "error",
      found: locked,
      hint: "Nothing can be run here: get the right to write to it, or work in a clone of it.",
    });
  if (setup.signs)
    warn(
      "signing",
      "commit.gpgSign is set, but the commits Oxbow makes are unsigned",
      "Sign what you take over: git merge --no-ff -S integration/TICKET",
    );
  const replaced = (await engine.refsBelow("refs/replace/")).size;
  if (replaced > 0)
    warn(
      "replace refs",
      `${replaced}, which agents do not see: they work on the original objects`,
      "Make them permanent with git filter-repo, or leave them.",
    );
  const { commit } = await readHead(engine);
  if (commit !== null) notes.push(...(await notesAbout(engine, commit)));
  return notes;
}

/** About the files of HEAD. */
async function notesAbout(engine: Engine, head: Oid): Promise<readonly RepositoryNote[]> {
  const missing = engine.setup.promisor === null ? 0 : await missingFrom(engine, head);
  if (missing > 0)
    return [
      {
        check: "partial clone",
        state: "warning",
        found: `${missing} objects of HEAD are not here; a program as an agent needs them all`,
        hint: fetchCommit(engine, head),
      },
    ];
  const { tree } = await engine.objects.commit(head);
  const patterns = await lfsPatterns(engine, await engine.trees.files(tree));
  if (patterns.length === 0) return [];
  return [
    {
      check: "git lfs",
      state: "warning",
      found: `agents see pointers in place of ${patterns.slice(0, 3).join(", ")}${patterns.length > 3 ? ", …" : ""}`,
      hint: "A pointer can be moved, deleted or replaced by another, not edited; new files of these names are stored as they are.",
    },
  ];
}
