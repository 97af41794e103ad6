/** Why a program failed, where that is the sandbox's doing: the error says which key opens what was missing. */
import { existsSync } from "node:fs";
import { OxbowError } from "../core/errors.ts";
import type { ConfinedResult, Confinement } from "../host/sandbox.ts";

export function cannotStart(program: string, result: ConfinedResult): OxbowError {
  const { startError, sandboxError } = result;
  const details = { program, reason: startError };
  if (startError === "ESANDBOX")
    return new OxbowError("command_failed", `The sandbox for ${program} cannot be built: ${sandboxError}.`, {
      hint: "`oxbow doctor` says what bubblewrap can do here; TERMINAL_SANDBOX=off runs without it.",
      details,
    });
  if (sandboxError !== null)
    return new OxbowError("command_invalid", `${program} cannot be run: ${why(startError)} in the sandbox.`, {
      hint: "What it needs to start (its interpreter, say) lies where the sandbox shows nothing: put that folder on the PATH, or name the interpreter in the command.",
      details,
    });
  return new OxbowError("command_invalid", `${program} cannot be run: ${why(startError)} on the PATH.`, {
    hint: "Give a program that is installed, and its arguments; shell operators and aliases are not interpreted.",
    details,
  });
}

function why(code: string | null): string {
  if (code === "ENOENT") return "there is no such program";
  if (code === "EACCES") return "it is not executable";
  return code === "E2BIG" ? "its arguments are too long" : (code ?? "?");
}

interface Failure {
  /** The last it said. */
  readonly text: string;
  readonly result: ConfinedResult;
  readonly request: { readonly confinement: Confinement; readonly home?: string | null | undefined };
}

/** command_failed, with the hint of the sandbox where the program's last words speak of it. */
export function withHint(message: string, details: Record<string, unknown>, failure: Failure): OxbowError {
  const hint = sandboxHint(failure);
  return new OxbowError("command_failed", message, { details, ...(hint === null ? {} : { hint }) });
}

const NETWORK =
  /\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH|ENETDOWN|getaddrinfo|fetch failed|Could not resolve|Network is unreachable|name resolution|No address associated)/i;
const LOGIN =
  /\b(?:log ?in|logged in|credentials?|unauthori[sz]ed|authenticat\w*|api[ _-]?key|access token)\b/i;
/** Absolute paths as programs print them. */
const PATHS = /(?<![\w.~/-])\/[^\s'"`:;,()<>[\]{}]+/g;
const MOST_PATHS = 200;

function sandboxHint({ text, result, request }: Failure): string | null {
  if (result.sandbox === "none") return null;
  const { confinement, home } = request;
  if (confinement.network !== true && NETWORK.test(text))
    return "It ran without network. `sandbox: { network: true }` of the agent in team.yaml opens it.";
  const unseen = (text.match(PATHS) ?? [])
    .slice(0, MOST_PATHS)
    .find((file) => !result.sees(file) && existsSync(file));
  if (unseen !== undefined)
    return `${unseen} is there, but the sandbox does not show it: put the program's folder on the PATH, name the path in the command, or name what it needs of your home in \`sandbox: { home: [...] }\` in team.yaml.`;
  if (/\bEROFS\b|Read-only file system/i.test(text))
    return "It may write only in its workspace, its HOME and TMPDIR. `sandbox: { home: [...] }` in team.yaml opens files and folders of your own home.";
  if (home != null && LOGIN.test(text))
    return "Its HOME is a private one, and it gets no variable of yours. `sandbox: { home: [.its-folder] }` or `sandbox: { env: [ITS_KEY] }` in team.yaml opens what it needs to log in.";
  return null;
}
