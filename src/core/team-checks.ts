/** What a team file must obey beyond its schema: names, references between its parts, patterns. */
import { branchName } from "./branch-name.ts";
import { hasCode } from "./errors.ts";
import { createMatcher, createOwnership } from "./ownership.ts";
import { parseRemoteUrl } from "./remote-url.ts";
import { checkServers } from "./mcp-server.ts";
import { readPluginName } from "./plugin-name.ts";
import { checkSchedule } from "./schedule.ts";
import { checkGroups } from "./team-groups.ts";
import type { Fail, Path } from "./team-issues.ts";
import { CLAUDE_CODE } from "./providers.ts";
import type { RawTeam } from "./team-schema.ts";
import { normalisePath } from "./paths.ts";
import { suggestion } from "./text.ts";
import { splitWords } from "./words.ts";

export type { Fail, Path } from "./team-issues.ts";

export function checkTeam(raw: RawTeam, fail: Fail): void {
  checkNames(raw, fail);
  checkAgents(raw, fail);
  checkGroups(raw, fail);
  checkPlugins(raw, fail);
  checkServers(raw, fail);
  checkSchedule(raw, fail);
  checkPatterns(raw, fail);
  checkWorkspace(raw, fail);
  const { url } = raw.repo ?? {};
  const remote = url === undefined ? null : parseRemoteUrl(url);
  if (remote && "refused" in remote) fail("team_file_invalid", ["repo", "url"], remote.refused);
}

function checkWorkspace({ workspace }: RawTeam, fail: Fail): void {
  const check = (path: Path, look: () => unknown): void => {
    try {
      look();
    } catch (error) {
      if (hasCode(error)) fail("team_file_invalid", path, error.message);
      throw error;
    }
  };
  for (const [i, line] of (workspace?.setup ?? []).entries())
    check(["workspace", "setup", i], () => splitWords(line));
  for (const [i, name] of (workspace?.link ?? []).entries())
    check(["workspace", "link", i], () => normalisePath(name));
}

/** Names become branches, so two must not differ by case alone. */
function checkNames(raw: RawTeam, fail: Fail): void {
  const first = new Map<string, string>();
  for (const [i, { name }] of raw.agents.entries()) {
    const path = ["agents", i, "name"];
    const key = branchOf(name, (message) => fail("team_file_invalid", path, message)).toLowerCase();
    const other = first.get(key);
    if (other === name) fail("team_file_invalid", path, `there is an agent ${name} already`);
    if (other !== undefined)
      fail("team_file_invalid", path, `${name} and ${other} would have one branch name`);
    first.set(key, name);
  }
  const names = raw.agents.map((agent) => agent.name);
  if (raw.lead !== undefined && !names.includes(raw.lead)) {
    fail("team_file_invalid", ["lead"], `there is no agent ${raw.lead}.${suggestion(raw.lead, names)}`);
  }
}

function branchOf(name: string, fail: (message: string) => never): string {
  try {
    return branchName({ agentName: name });
  } catch (error) {
    if (hasCode(error, "branch_name_rejected")) return fail(error.message);
    throw error;
  }
}

function checkAgents(raw: RawTeam, fail: Fail): void {
  for (const [i, agent] of raw.agents.entries()) {
    if (agent.runtime === "acp") {
      fail("runtime_not_available", ["agents", i, "runtime"], "the runtime acp is not available yet");
    }
    const isClaude = agent.provider === CLAUDE_CODE;
    if (agent.runtime === "command" && agent.command === undefined && !isClaude) {
      fail("team_file_invalid", ["agents", i], "the runtime command needs a `command:`");
    }
    if (isClaude && (agent.runtime === "openai_agents" || agent.command !== undefined)) {
      const message =
        "claude-code is a program of its own: give neither `runtime: openai_agents` nor a command";
      fail("team_file_invalid", ["agents", i, "provider"], message);
    }
    if (agent.command !== undefined && agent.runtime !== "command") {
      fail("team_file_invalid", ["agents", i, "command"], "a command is run only with `runtime: command`");
    }
  }
}

function checkPlugins({ plugins = [] }: RawTeam, fail: Fail): void {
  for (const [i, text] of plugins.entries()) {
    const name = readPluginName(text);
    if (name.kind === "refused") fail("team_file_invalid", ["plugins", i], name.why);
    if (plugins.indexOf(text) < i) fail("team_file_invalid", ["plugins", i], "is there twice");
  }
}

/** Agent by agent, so that an error has the position of the pattern that is wrong, or of the second of two equal ones. */
function checkPatterns(raw: RawTeam, fail: Fail): void {
  const refuse = (path: Path, check: () => unknown): void => {
    try {
      check();
    } catch (error) {
      if (hasCode(error, "team_config")) fail("team_config", path, error.message);
      throw error;
    }
  };
  for (const [i, { allowed_paths, read_paths }] of raw.agents.entries()) {
    for (const [j, pattern] of (allowed_paths ?? []).entries()) {
      refuse(["agents", i, "allowed_paths", j], () => createMatcher([pattern]));
    }
    for (const [j, pattern] of (read_paths ?? []).entries()) {
      refuse(["agents", i, "read_paths", j], () => createMatcher([pattern]));
    }
  }
  try {
    createOwnership(Object.fromEntries(raw.agents.map((agent) => [agent.name, agent.allowed_paths ?? []])));
  } catch (error) {
    if (!hasCode(error, "team_config")) throw error;
    fail("team_config", secondOf(raw, error.details), error.message);
  }
}

function secondOf(raw: RawTeam, details: Readonly<Record<string, unknown>>): Path {
  const { agents, patterns } = details;
  const pairs =
    Array.isArray(agents) && Array.isArray(patterns) ? [0, 1].map((n) => [agents[n], patterns[n]]) : [];
  const places = pairs.map(([name, pattern]) => {
    const i = raw.agents.findIndex((agent) => agent.name === name);
    const j = raw.agents[i]?.allowed_paths?.indexOf(String(pattern)) ?? -1;
    return ["agents", i, "allowed_paths", j];
  });
  return places.sort((a, b) => Number(b[1]) - Number(a[1]))[0] ?? ["agents"];
}
