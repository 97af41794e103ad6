/**
 * A sed script, one `-e` at a time: only commands that edit text. `--sandbox` makes sed refuse the others too; this says
 * so before it runs.
 */
import { quoted } from "../text.ts";
import type { Refusal } from "./operand.ts";

/** The commands that only edit, and what may follow each. */
const ARGUMENTS: readonly (readonly [RegExp, RegExp])[] = [
  [/^[=dDgGhHnNpPxzF]$/, /^/],
  [/^[lLqQ]$/, /^\s*\d*/],
  [/^[:btT]$/, /^\s*[A-Za-z0-9_.-]*/],
];
const DANGEROUS: Readonly<Record<string, string>> = {
  e: "runs a program",
  w: "writes a file",
  W: "writes a file",
  r: "reads a file",
  R: "reads a file",
};

/**
 * How a delimiter inside `[…]` is taken. Seds differ (GNU 4.9 knows brackets, older ones do not), so nothing dangerous may
 * show in any reading.
 */
type Reading = "brackets" | "brackets with escapes" | "plain";
const READINGS: readonly Reading[] = ["brackets", "brackets with escapes", "plain"];

export function checkSedScript(script: string): Refusal | null {
  const found = READINGS.map((reading) => readScript(script, reading));
  const problem = found.find((each) => each?.dangerous === true) ?? found[0] ?? null;
  if (problem === null) return null;
  return { code: "script", reason: `The sed script ${quoted(script)} ${problem.why}.` };
}

interface Problem {
  readonly why: string;
  readonly dangerous: boolean;
}

function readScript(script: string, reading: Reading): Problem | null {
  let at = 0;
  while (at < script.length) {
    const skipped = /^[\s;{}]+/.exec(script.slice(at));
    if (skipped !== null) {
      at += skipped[0].length;
      continue;
    }
    const address = skipAddresses(script, at, reading);
    if (address === null) return { why: "has an address that does not end", dangerous: false };
    const command = readCommand(script, address, reading);
    if (typeof command !== "number") return command;
    at = command;
  }
  return null;
}

/** The index after the addresses and `!`. */
function skipAddresses(script: string, start: number, reading: Reading): number | null {
  let at: number | null = skipAddress(script, start, reading);
  if (at === null) return null;
  const comma = /^\s*,\s*[+~]?/.exec(script.slice(at));
  if (comma !== null && at > start) {
    at = skipAddress(script, at + comma[0].length, reading);
    if (at === null) return null;
  }
  return at + (/^[\s!]*/.exec(script.slice(at))?.[0].length ?? 0);
}

function skipAddress(script: string, start: number, reading: Reading): number | null {
  const simple = /^(?:\d+(?:\s*~\s*\d+)?|\$)/.exec(script.slice(start));
  if (simple !== null) return start + simple[0].length;
  const char = script.charAt(start);
  if (char !== "/" && char !== "\\") return start;
  const open = char === "/" ? start : start + 1;
  const end = skipPart(script, open + 1, script.charAt(open), reading);
  return end === null ? null : end + (/^[IM]*/.exec(script.slice(end))?.[0].length ?? 0);
}

/** The index after the next delimiter that no backslash escapes and no bracket holds. */
function skipPart(script: string, start: number, delimiter: string, reading: Reading): number | null {
  if (delimiter === "" || delimiter === "\\") return null;
  for (let at = start; at < script.length; at++) {
    const char = script.charAt(at);
    if (char === "\\") at++;
    else if (char === delimiter) return at + 1;
    else if (char === "[" && reading !== "plain") {
      const end = endOfBracket(script, at, reading);
      if (end === null) return null;
      at = end;
    }
  }
  return null;
}

/** The index of the `]` that closes the bracket at `start`, or null when none does. */
function endOfBracket(script: string, start: number, reading: Reading): number | null {
  let at = start + 1;
  if (script.charAt(at) === "^") at++;
  if (script.charAt(at) === "]") at++;
  for (; at < script.length; at++) {
    const char = script.charAt(at);
    const next = script.charAt(at + 1);
    if (char === "]") return at;
    if (char === "\\" && reading === "brackets with escapes") at++;
    else if (char === "[" && (next === ":" || next === "." || next === "=")) {
      const close = script.indexOf(`${next}]`, at + 2);
      if (close !== -1) at = close + 1;
    }
  }
  return null;
}

/** The index after one command, or what is wrong with it. */
function readCommand(script: string, at: number, reading: Reading): number | Problem {
  const name = script.charAt(at);
  if (name === "") return harmless("ends with an address");
  if (name === "#" || name === "a" || name === "i" || name === "c") return script.length;
  if (name === "{" || name === "}") return at + 1;
  const danger = DANGEROUS[name];
  if (danger !== undefined) return { why: `uses the command ${name}, which ${danger}`, dangerous: true };
  if (name === "s" || name === "y") return substitute(script, at, reading);
  const argument = ARGUMENTS.find(([names]) => names.test(name))?.[1].exec(script.slice(at + 1));
  if (!argument) return harmless(`uses the unknown command ${quoted(name)}`);
  return endOfCommand(script, at + 1 + argument[0].length);
}

function substitute(script: string, at: number, reading: Reading): number | Problem {
  const name = script.charAt(at);
  const delimiter = script.charAt(at + 1);
  const middle = skipPart(script, at + 2, delimiter, name === "s" ? reading : "plain");
  const end = middle === null ? null : skipPart(script, middle, delimiter, "plain");
  if (end === null) return harmless(`has a command ${name} that does not end`);
  if (name === "y") return endOfCommand(script, end);
  const flags = /^[gpiIMm0-9\s]*/.exec(script.slice(end))?.[0] ?? "";
  const next = script.charAt(end + flags.length);
  if (next === "e") return { why: "uses the flag e of s, which runs a program", dangerous: true };
  if (next === "w") return { why: "uses the flag w of s, which writes a file", dangerous: true };
  return endOfCommand(script, end + flags.length);
}

function endOfCommand(script: string, at: number): number | Problem {
  const rest = /^\s*(?:$|[;}#])/.exec(script.slice(at));
  return rest === null ? harmless(`has ${quoted(script.charAt(at))} where a command should end`) : at;
}

/** Sed would stop there, too. */
function harmless(why: string): Problem {
  return { why, dangerous: false };
}
