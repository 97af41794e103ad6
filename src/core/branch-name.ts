/**
 * Branch names that Git always accepts, made from tickets and agents' names (SAFETY "Branch names").
 * Pure: everything hostile is refused here, before any git command sees the text.
 */
import { createHash } from "node:crypto";
import { OxbowError } from "./errors.ts";
import { byteLength, describeHidden, hiddenCharacter, quoted } from "./text.ts";

const MAX_COMPONENT_BYTES = 200;
const CLEAN = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** `feature/<ticket or "task">/<agent>`. Throws branch_name_rejected. */
export function branchName(input: { ticket?: string | undefined; agentName: string }): string {
  const ticket = input.ticket ? component(input.ticket, "ticket") : "task";
  return `feature/${ticket}/${component(input.agentName, "agent's name")}`;
}

/** `integration/<ticket>`, where the finished branches of a ticket meet. Throws branch_name_rejected. */
export function integrationBranch(ticket: string): string {
  return `integration/${component(ticket, "ticket")}`;
}

/** Any text (a subtask id such as `Api::t-1::2`) as one component of a ref. Throws branch_name_rejected. */
export function refComponent(raw: string): string {
  return component(raw, "name");
}

/** Below it, where branches started that did not start at their task's base: one ref a subtask. */
export const BASE_REFS = "refs/oxbow/bases/";

export function baseRef(subtaskId: string): string {
  return BASE_REFS + refComponent(subtaskId);
}

/** Below it on a fleet's remote: the commits at which tasks start, each by its id. */
export const START_REFS = "refs/oxbow/starts/";

/** The n-th branch of a name: `name`, `name-2`, `name-3` …; the last component stays within its limit. */
export function numberedBranch(name: string, n: number): string {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new OxbowError("branch_name_rejected", `A branch is numbered from 1, not ${n}.`);
  }
  if (n === 1) return name;
  const slash = name.lastIndexOf("/") + 1;
  const last = name.slice(slash);
  const room = MAX_COMPONENT_BYTES - `-${n}`.length;
  const kept = last.length <= room ? last : withDigest(last, last, room);
  return `${name.slice(0, slash)}${kept}-${n}`;
}

/**
 * One component. Surrounding blanks and one leading `#` are how people write tickets and are dropped; anything else
 * that does not fit becomes `-`, and a digest of the raw text keeps two such inputs apart.
 */
function component(raw: string, what: string): string {
  // What plain JavaScript hands over need not be text.
  if (typeof raw !== "string") throw rejected(`The ${what} is no text.`);
  const text = checked(raw, what);
  const clean = text
    .replace(/[^A-Za-z0-9._-]/gu, "-")
    .replace(/\.{2,}/g, "-")
    .replace(/^[.-]+/, "")
    .replace(/\.lock$/i, (ending) => `-${ending.slice(1)}`)
    .replace(/[.-]+$/, "");
  if (clean === text && CLEAN.test(clean)) return clean;
  return withDigest(clean, raw, MAX_COMPONENT_BYTES);
}

function checked(raw: string, what: string): string {
  const shown = quoted(raw);
  const hidden = hiddenCharacter(raw);
  if (hidden !== null) throw rejected(`The ${what} ${shown} contains ${describeHidden(hidden)}.`);
  const text = trimmed(trimmed(raw).replace(/^#/, ""));
  if (text === "") throw rejected(`The ${what} ${shown} is empty.`);
  if (text.startsWith("-")) throw rejected(`The ${what} ${shown} begins with a dash.`);
  const bytes = byteLength(text);
  if (bytes > MAX_COMPONENT_BYTES) {
    throw rejected(`The ${what} ${shown} has ${bytes} bytes; at most ${MAX_COMPONENT_BYTES} fit.`);
  }
  return text;
}

/** Only plain spaces: every other blank has been refused. (A loop, because `/ +$/` is quadratic.) */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return text.slice(start, end);
}

function withDigest(text: string, raw: string, room: number): string {
  const digest = createHash("sha256").update(raw, "utf8").digest("hex").slice(0, 8);
  const kept = text.slice(0, room - digest.length - 1).replace(/[.-]+$/, "");
  return kept === "" ? `x-${digest}` : `${kept}-${digest}`;
}

function rejected(message: string): OxbowError {
  return new OxbowError("branch_name_rejected", message);
}
