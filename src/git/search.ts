/** `git grep` on a tree, and `git diff-tree` between two: read-only, no attributes, no programs of the repository's. */
import { OxbowError } from "../core/errors.ts";
import type { SearchHit } from "../core/tool.ts";
import { gitFailed, type GitSite, objectsMissing, runGit } from "./command.ts";
import type { Oid } from "./contract.ts";

const MAX_LINE_CHARS = 500;
const MAX_DIFF_BYTES = 200_000;

export interface SearchOptions {
  readonly pattern: string;
  readonly limit: number;
  /** Which files to look into. */
  readonly wanted: (path: string) => boolean;
}

/** Lines that match an extended regular expression. Throws tool_input for a bad one, objects_missing, cancelled. */
export async function searchTree(
  site: GitSite,
  commit: Oid,
  options: SearchOptions,
  signal: AbortSignal,
): Promise<{ hits: readonly SearchHit[]; truncated: boolean }> {
  if (options.pattern === "" || /[\0\n]/.test(options.pattern)) {
    throw new OxbowError("tool_input", "A search pattern is one line of text, not empty.");
  }
  const hits: SearchHit[] = [];
  const enough = new AbortController();
  const parser = createHitParser(`${commit}:`, (hit) => {
    if (enough.signal.aborted || !options.wanted(hit.path)) return;
    if (hits.length < options.limit) hits.push(hit);
    else enough.abort();
  });
  const unread = createUnread(commit, options.wanted);
  const args = ["grep", "-z", "-n", "-I", "-E", "--no-textconv", "--no-color", "--full-name"];
  const either = AbortSignal.any([signal, enough.signal]);
  const result = await runGit(
    site,
    [...args, "-e", options.pattern, commit],
    { maxOutputBytes: 8192, onStdout: parser, onStderr: unread.push },
    either,
  ).catch((error: unknown) => {
    if (enough.signal.aborted && !signal.aborted) return null;
    throw error;
  });
  if (result === null) return { hits, truncated: true };
  const lacking = unread.first();
  if (lacking !== null)
    throw objectsMissing(`The search cannot look into ${lacking}: its content is not here.`, site, {
      path: lacking,
    });
  if (result.exitCode === 0 || result.exitCode === 1) return { hits, truncated: enough.signal.aborted };
  const words = result.stderr.toString("utf8").trim();
  if (words !== "" && /regex|parenthes|bracket|brace|repetition|backslash|Unmatched|Invalid/i.test(words)) {
    throw new OxbowError("tool_input", `The search pattern is not valid: ${words.slice(0, 300)}`);
  }
  throw gitFailed(args, words);
}

/** What git could not read, it only complains of: without this, a file that is not here would look like one without a hit. */
function createUnread(commit: Oid, wanted: (path: string) => boolean) {
  let rest = "";
  let first: string | null = null;
  return {
    push(text: string): void {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const path = /^error: '[0-9a-f]+:(.*)': unable to read /.exec(line)?.[1];
        if (path === undefined || !line.includes(commit) || !wanted(path)) continue;
        // Git looks into several files at once: the first by name, whichever it complained of first.
        if (first === null || path < first) first = path;
      }
    },
    first: () => first,
  };
}

/** Records are `<commit>:<path> NUL <line number> NUL <text> LF`. */
function createHitParser(prefix: string, onHit: (hit: SearchHit) => void): (text: string) => void {
  let rest = "";
  return (chunk) => {
    rest += chunk;
    for (;;) {
      const name = rest.indexOf("\0");
      const number = name < 0 ? -1 : rest.indexOf("\0", name + 1);
      const end = number < 0 ? -1 : rest.indexOf("\n", number + 1);
      if (end < 0) return;
      const path = rest.slice(prefix.length, name);
      const text = rest.slice(number + 1, end);
      onHit({ path, line: Number(rest.slice(name + 1, number)), text: capped(text) });
      rest = rest.slice(end + 1);
    }
  };
}

function capped(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.length <= MAX_LINE_CHARS ? text : `${text.slice(0, MAX_LINE_CHARS)}…`;
}

/** A unified diff, at most about 200 kB of it. */
export async function diffTrees(
  site: GitSite,
  before: Oid,
  after: Oid,
  signal: AbortSignal,
): Promise<string> {
  const args = ["diff-tree", "-p", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"];
  const result = await runGit(site, [...args, before, after], { maxOutputBytes: MAX_DIFF_BYTES }, signal);
  if (result.exitCode !== 0) throw gitFailed(args, result.stderr.toString("utf8"));
  if (!result.truncated) return result.stdout.toString("utf8");
  const whole = result.stdout.subarray(0, result.stdout.lastIndexOf(0x0a) + 1).toString("utf8");
  return `${whole}[diff cut at ${MAX_DIFF_BYTES} bytes: look at the files one by one]\n`;
}
