/**
 * The provider `claude-code`: an agent that is run as `claude -p`, Claude Code's command line, with the login that the
 * agent's `sandbox:` opens. It edits in its workspace as any program does; Oxbow commits.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OxbowError } from "../core/errors.ts";
import type { AgentSpec } from "../core/team-file.ts";
import { CLAUDE_CODE } from "../core/providers.ts";
import { findProgram } from "../host/program-files.ts";

export const PROGRAM = "claude";
/** Below the home: what `claude` keeps of a login. */
const LOGIN = ".claude/.credentials.json";
/** Or one of these, passed by `sandbox.env`. */
const KEYS = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"];

type Environment = Readonly<Record<string, string>>;

/** Program and arguments; `{task}` is filled in as in any command. */
export function claudeCommand(agent: AgentSpec, model: string | null): readonly string[] {
  const told = [
    "Edit the files of this directory; do not commit, and do not touch .git: what you leave in the files is taken over.",
    ...(agent.allowedPaths.length > 0 ? [`You may change only: ${agent.allowedPaths.join(", ")}`] : []),
    ...(agent.instructions === null ? [] : [agent.instructions]),
  ];
  return [
    PROGRAM,
    "-p",
    "{task}",
    "--permission-mode",
    "acceptEdits",
    "--append-system-prompt",
    told.join("\n\n"),
    ...(model === null ? [] : ["--model", model]),
  ];
}

/** What keeps `claude` from working for this agent here; null when nothing is known to. */
export function claudeProblem(
  agent: Pick<AgentSpec, "name" | "sandbox">,
  env: Environment,
): OxbowError | null {
  const missing = (message: string, hint: string) => new OxbowError("provider_missing", message, { hint });
  const found = findProgram(PROGRAM, env["PATH"] ?? "", "/");
  if (!("file" in found))
    return missing(
      `The agent ${agent.name} is run by Claude Code, but there is no \`${PROGRAM}\` on the PATH.`,
      "Install Claude Code, or give the agent another provider.",
    );
  if (!agent.sandbox.network)
    return missing(
      `The agent ${agent.name} is run by Claude Code, which needs the network.`,
      `Open it in the team file: \`sandbox: { network: true, home: [.claude] }\`.`,
    );
  if (loginOf(agent, env) !== null) return null;
  return missing(
    `The agent ${agent.name} is run by Claude Code, but its sandbox has no login for it.`,
    `Log in with \`${PROGRAM}\`, and open \`sandbox: { home: [.claude] }\`, or pass a key: \`sandbox: { env: [ANTHROPIC_API_KEY] }\`.`,
  );
}

/** Where its login is, as its sandbox shows it; null when there is none to be seen. */
export function loginOf({ sandbox }: Pick<AgentSpec, "sandbox">, env: Environment): string | null {
  const key = KEYS.find((name) => sandbox.env.includes(name) && env[name] !== undefined && env[name] !== "");
  if (key !== undefined) return key;
  const home = env["HOME"] ?? env["USERPROFILE"];
  const { home: opened } = sandbox;
  const isOpen = opened === "user" || (Array.isArray(opened) && opened.some((name) => isWithin(LOGIN, name)));
  if (!isOpen || home === undefined) return null;
  if (existsSync(join(home, LOGIN))) return `~/${LOGIN}`;
  // There the login is in the keychain, which only an own home leads to.
  return opened === "user" && process.platform === "darwin" ? "the keychain" : null;
}

function isWithin(file: string, name: string): boolean {
  const folder = name.replace(/\/+$/, "");
  return file === folder || file.startsWith(`${folder}/`);
}

/** Whether the agent is run so, unless a run says otherwise. */
export function isClaudeCode(agent: Pick<AgentSpec, "provider" | "runtime" | "command">): boolean {
  return agent.provider === CLAUDE_CODE && agent.runtime === "command" && agent.command === null;
}
