/** Commit messages and authors: whatever a model wrote becomes a well-formed message with our trailers. */
import { OxbowError } from "../core/errors.ts";
import type { Identity } from "./contract.ts";
import { plain } from "./user-config.ts";

const MAX_MESSAGE_CHARS = 64 * 1024;
const TRAILER = /^[A-Za-z0-9][A-Za-z0-9-]*:\s?\S.*$/;

/** Throws usage when nothing is left of the message. */
export function messageWithTrailers(
  message: string,
  trailers: readonly (readonly [string, string])[],
): string {
  const text = cleanMessage(message);
  if (text === "")
    throw new OxbowError("usage", "The commit message is empty.", { hint: "Say what the commit does." });
  const block = trailers.map(([key, value]) => `${key}: ${oneLine(value)}`).join("\n");
  const paragraphs = text.split("\n\n");
  const last = paragraphs.at(-1) ?? "";
  // Git reads trailers from the last paragraph only: ours join those that are there.
  const joins = paragraphs.length > 1 && last.split("\n").every((line) => TRAILER.test(line));
  return `${text}${joins ? "\n" : "\n\n"}${block}\n`;
}

/** Without control characters, without trailers that claim to be ours, without blanks at the edges. */
function cleanMessage(message: string): string {
  return message
    .toWellFormed()
    .slice(0, MAX_MESSAGE_CHARS)
    .replace(/\r\n?/g, "\n")
    .replace(/[^\P{Cc}\n\t]/gu, "")
    .split("\n")
    .filter((line) => !/^\s*Oxbow-[A-Za-z]+\s*:/i.test(line))
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function oneLine(value: string): string {
  return value
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .trim();
}

/** The agent as an author; the address is made up and says so. */
export function agentIdentity(agent: string): Identity {
  const name = plain(agent.toWellFormed());
  const local = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+|[.-]+$/g, "");
  return { name: name === "" ? "agent" : name, email: `${local === "" ? "agent" : local}@oxbow.localhost` };
}

/** The agent as the value of a `Co-authored-by` trailer. */
export function coAuthor(agent: string): string {
  const { name, email } = agentIdentity(agent);
  return `${name} <${email}>`;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
