import { z } from "zod";
import { hasCode, OxbowError } from "../src/core/errors.ts";
import { applyHunks } from "../src/core/patch-apply.ts";
import { type FilePatch, parsePatch } from "../src/core/patch.ts";
import { normalisePath } from "../src/core/paths.ts";
import { defineTool, type BranchFiles, type FileChange } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";
import { decodeText, isCrlf, toCrlf } from "./text.ts";

/**
 * The format of OpenAI's models (V4A), as the Codex command line applies it: sections are applied in their order, so a
 * path may come twice; a file that is added or moved to replaces what is there. Unlike there, nothing is written unless
 * all of it applies, and a file keeps its own line endings, also at its end.
 */
export const applyPatch = defineTool({
  name: "apply_patch",
  description: [
    "Edit files of your branch with one patch; either all of it is applied or nothing. The patch:",
    "*** Begin Patch",
    "*** Add File: PATH, then every line of the file after a +",
    "*** Delete File: PATH",
    "*** Update File: PATH, then optionally *** Move to: NEW PATH, then hunks: a line @@ (or @@ and a line of the file to go to first, such as a function's head), then lines of the file after a space (kept, about 3 before and after a change), after a - (removed) or after a + (added). *** End of File after a hunk that ends the file.",
    "*** End Patch",
  ].join("\n"),
  parameters: z.strictObject({
    patch: z.string().describe("From *** Begin Patch to *** End Patch. Paths are relative to the root."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ patch }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      const sections = parsePatch(patch);
      const plan = createPlan(ctx.files);
      const files = [];
      for (const section of sections) files.push({ ...(await plan.add(section)) });
      await ctx.files.apply(plan.changes);
      return { ok: true, files };
    }),
});

type Update = Extract<FilePatch, { kind: "update" }>;
type Told =
  | { readonly path: string; readonly change: "added" | "updated" | "deleted" }
  | { readonly path: string; readonly change: "moved"; readonly from: string };

/** The changes that a patch comes to; what earlier sections made of a file is what later ones see. */
function createPlan(files: BranchFiles) {
  const changes: FileChange[] = [];
  const made = new Map<string, Uint8Array | null>();

  const read = async (path: string): Promise<Uint8Array> => {
    const now = made.get(path);
    if (now === null) {
      throw new OxbowError("file_not_found", `${path} was deleted or moved earlier in the patch.`, {
        details: { path },
      });
    }
    return now ?? files.read(path);
  };

  const add = async (section: FilePatch): Promise<Told> => {
    const path = normalisePath(section.path);
    if (section.kind === "delete") {
      if (made.get(path) === null) await read(path);
      changes.push({ kind: "delete", path });
      made.set(path, null);
      return { path, change: "deleted" };
    }
    if (section.kind === "add") {
      const content = await addedContent(path, section.content);
      changes.push({ kind: "write", path, content });
      made.set(path, content);
      return { path, change: "added" };
    }
    const old = await read(path);
    const to = section.moveTo === null ? path : normalisePath(section.moveTo);
    const content = section.hunks.length === 0 ? null : patched(path, old, section);
    if (to === path) {
      if (content === null || sameBytes(content, old)) throw nothingChanged(path);
      changes.push({ kind: "write", path, content });
      made.set(path, content);
      return { path, change: "updated" };
    }
    changes.push({ kind: "move", from: path, to, content });
    made.set(path, null);
    made.set(to, content ?? old);
    return { path: to, change: "moved", from: path };
  };

  /** As write_file: a file that is replaced keeps its CRLF. */
  const addedContent = async (path: string, content: string): Promise<Uint8Array> => {
    const old = made.has(path) ? (made.get(path) ?? null) : await bytesIfAny(files, path);
    const crlf = old !== null && isCrlf(Buffer.from(old).toString("latin1"));
    return new TextEncoder().encode(crlf ? toCrlf(content) : content);
  };

  return { changes, add };
}

/** Null for a file that is not there, or that this agent may not read. */
async function bytesIfAny(files: BranchFiles, path: string): Promise<Uint8Array | null> {
  try {
    return await files.read(path);
  } catch (error) {
    if (hasCode(error, "file_not_found") || hasCode(error, "out_of_scope")) return null;
    throw error;
  }
}

function patched(path: string, old: Uint8Array, { hunks }: Update): Uint8Array {
  return new TextEncoder().encode(applyHunks(path, decodeText(path, old), hunks));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function nothingChanged(path: string): OxbowError {
  return new OxbowError("patch_invalid", `The patch changes nothing in ${path}.`, {
    hint: "Nothing was written. Lines to remove begin with -, lines to add with +.",
    details: { path },
  });
}
