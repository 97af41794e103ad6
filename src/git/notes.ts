/** Git notes of Oxbow's own, `refs/notes/oxbow`: written through objects, moved by compare-and-swap, read by `git log --notes=oxbow`. */
import { hasCode } from "../core/errors.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { nowSeconds } from "./message.ts";

export const NOTES = "refs/notes/oxbow";

const MAX_TRIES = 20;

/** Replaces the note of the commit, if there is one. Throws branch_moved when others keep moving the notes. */
export async function addNote(engine: Engine, commit: Oid, text: string): Promise<void> {
  const blob = await engine.commits.writeObject("blob", text.endsWith("\n") ? text : `${text}\n`);
  for (let tries = 1; ; tries++) {
    const old = await engine.readRef(NOTES);
    const on = old ?? (await emptyNotes(engine));
    const { identity } = engine.setup;
    const path = await pathOf(engine, on, commit);
    const made = await engine.commits.write({
      parents: [on],
      author: identity,
      committer: identity,
      time: nowSeconds(),
      message: "Notes added by oxbow\n",
      content: { edits: [{ path, mode: "100644", oid: blob, content: null }] },
    });
    try {
      await engine.refs.apply([{ ref: NOTES, old, new: made }]);
      return;
    } catch (error) {
      if (!hasCode(error, "branch_moved") || tries === MAX_TRIES) throw error;
    }
  }
}

/** Git spreads many notes over folders by the first digits of their names, and finds a note on any level. */
async function pathOf({ objects, trees }: Engine, notes: Oid, commit: Oid): Promise<string> {
  const { tree } = await objects.commit(notes);
  let path = "";
  for (let at = 0; at < commit.length - 2; at += 2) {
    const rest = commit.slice(at);
    if ((await trees.find(tree, path + rest)) !== null) return path + rest;
    const folder = path + commit.slice(at, at + 2);
    if ((await trees.find(tree, folder)) === null) return path + rest;
    path = `${folder}/`;
  }
  return commit;
}

/** A first commit, without a note. */
async function emptyNotes({ setup, commits }: Engine): Promise<Oid> {
  const { name, email } = setup.identity;
  const tree = await commits.writeObject("tree", "");
  const who = `${name} <${email}> ${nowSeconds()} +0000`;
  return commits.writeObject("commit", `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\nNotes of Oxbow\n`);
}
