/**
 * Which new files stay out: the `.gitignore` files of the base tree decide, not those the agent edited. They are laid out
 * alone in a scratch directory, and one `git check-ignore` that stays open answers.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import type { LongProcess } from "../host/process.ts";
import { below } from "./baseline.ts";
import { createByteQueue, type RawPath } from "./bytes.ts";
import { startGit } from "./command.ts";
import type { Engine } from "./engine.ts";
import type { TreeFile } from "./trees.ts";

/** It takes no literal pathspecs; a `./` in front of each path keeps `:` from being read as magic instead. */
const CHECK_IGNORE = ["--no-literal-pathspecs", "check-ignore", "-z", "-v", "-n", "--stdin", "--no-index"];

export interface IgnoreRules extends AsyncDisposable {
  matches(path: RawPath, directory: boolean): Promise<boolean>;
}

export function createIgnoreRules(engine: Engine, home: string, files: readonly TreeFile[]): IgnoreRules {
  const rules = files.filter((file) => file.mode.startsWith("100") && /(?:^|\/)\.gitignore$/.test(file.path));
  const scratch = path.join(home, "ignore");
  let opened: Promise<Asker> | null = null;

  const open = async (): Promise<Asker> => {
    for (const rule of rules) {
      const name = rule.path.lastIndexOf("/");
      await mkdir(below(scratch, rule.path.slice(0, Math.max(0, name))), { recursive: true });
      await writeFile(below(scratch, rule.path), await engine.objects.blob(rule.oid));
    }
    const site = { ...engine.setup.objectSite, cwd: scratch, workTree: scratch };
    return createAsker(startGit(site, CHECK_IGNORE));
  };

  return {
    async matches(at, directory) {
      if (rules.length === 0) return false;
      const asker = await (opened ??= open());
      // A pattern for directories only (`build/`) asks the file system what it is looking at.
      if (directory) await mkdir(below(scratch, at), { recursive: true });
      return asker.ask(at);
    },
    async [Symbol.asyncDispose]() {
      if (opened !== null) await (await opened).close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

interface Asker {
  ask(path: RawPath): Promise<boolean>;
  close(): Promise<void>;
}

/** Answers are `<source> NUL <line> NUL <pattern> NUL <path> NUL`; the first three are empty where nothing matches. */
function createAsker(process: LongProcess): Asker {
  const queue = createByteQueue();
  let fields: string[] = [];
  let waiting: { answer: (ignored: boolean) => void; fail: (error: OxbowError) => void }[] = [];
  let ended = false;
  process.stdout.on("data", (chunk: Buffer) => {
    queue.push(chunk);
    for (let field = queue.until(0); field !== null; field = queue.until(0)) {
      fields.push(field.toString("latin1"));
      if (fields.length < 4) continue;
      const [source = "", , pattern = ""] = fields;
      fields = [];
      waiting.shift()?.answer(source !== "" && !pattern.startsWith("!"));
    }
  });
  const failed = (): OxbowError =>
    new OxbowError("git_failed", `git check-ignore ended: ${process.stderrTail().trim()}`);
  void process.exited.then(() => {
    ended = true;
    for (const one of waiting) one.fail(failed());
    waiting = [];
  });
  return {
    ask: (path) =>
      new Promise((answer, fail) => {
        if (ended) return fail(failed());
        waiting.push({ answer, fail });
        process.stdin.write(Buffer.from(`./${path}\0`, "latin1"));
      }),
    close: () => process.close(),
  };
}
