/** What an agent's programs get of this machine: their workspace, and what `sandbox:` in team.yaml opens. */
import { realpathSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { AgentSpec } from "../core/team-file.ts";
import type { Workspace } from "../git/contract.ts";
import type { Bind } from "../host/program-files.ts";
import type { Confinement } from "../host/sandbox.ts";
import type { Engine } from "./engine.ts";

export interface ProgramSetting {
  /** HOME of its own; null: the user's. */
  readonly home: string | null;
  /** What of the user's home lies in it, by name. */
  readonly homeLinks: Readonly<Record<string, string>>;
  /** The whole environment, but for what follows from `home`. */
  readonly env: Readonly<Record<string, string>>;
  readonly confinement: Confinement;
}

const PASSED = ["PATH", "LANG", "LC_ALL", "TZ", "SystemRoot", "ComSpec", "PATHEXT"];

/** `command`: words a person wrote; the absolute paths among them are shown. */
export function programSetting(
  engine: Engine,
  agent: Pick<AgentSpec, "sandbox">,
  workspace: Pick<Workspace, "dir" | "sources">,
  command: readonly string[] = [],
): ProgramSetting {
  const { environment: own, repo } = engine;
  const { home: wanted, network, env: names } = agent.sandbox;
  const usersHome = own["HOME"] ?? own["USERPROFILE"];
  const home = wanted === "user" ? null : `${workspace.dir}.home`;
  const links = typeof wanted === "string" || usersHome === undefined ? {} : linksTo(usersHome, wanted);
  const passed = [...PASSED, ...(home === null ? ["HOME", "USERPROFILE"] : []), ...names];
  const env: Record<string, string> = {};
  for (const name of passed) if (own[name] !== undefined) env[name] = own[name];
  return {
    home,
    homeLinks: links,
    env,
    confinement: {
      writable: [
        workspace.dir,
        realpathSync(workspace.dir),
        ...(home === null ? [usersHome ?? ""].filter(isAbsolute) : [home]),
        ...Object.values(links),
      ],
      // The checkout is below an own home, as a rule.
      readOnly: [...workspace.sources, ...(home === null && !repo.bare ? [repo.root] : [])],
      hidden: [...new Set([repo.commonDir, repo.gitDir, repo.stateDir])],
      network,
      home: usersHome,
      named: command.flatMap((word) => {
        const path = /^--?[\w-]+=(\/.*)$/.exec(word)?.[1] ?? word;
        return isAbsolute(path) ? [path] : [];
      }),
    },
  };
}

/** With files and folders mounted over the work tree. */
export function withLinks(setting: ProgramSetting, links: readonly Bind[]): ProgramSetting {
  const { confinement } = setting;
  return {
    ...setting,
    confinement: { ...confinement, readOnly: [...(confinement.readOnly ?? []), ...links] },
  };
}

/** Those that are there, where they really are. */
function linksTo(home: string, names: readonly string[]): Record<string, string> {
  const links: Record<string, string> = {};
  for (const name of names) {
    try {
      links[name] = realpathSync(join(home, name));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return links;
}

/** What `sandbox:` of these agents opens, for the report. */
export function openings(agents: readonly AgentSpec[]): readonly string[] {
  return agents.flatMap(({ name, sandbox: { network, env, home } }) => {
    const parts = [
      ...(network ? ["use the network"] : []),
      ...(env.length > 0 ? [`get ${env.join(", ")}`] : []),
      ...(home === "user" ? ["read and write your home"] : []),
      ...(typeof home === "string" || home.length === 0
        ? []
        : [`read and write ${home.join(", ")} of your home`]),
    ];
    return parts.length === 0
      ? []
      : [`The programs of ${name} may ${parts.join(", and ")} (\`sandbox:\` in the team file).`];
  });
}

export function withoutSandbox(reason: string): string {
  return `Programs run without a sandbox (${reason}): they can read and write whatever your user can.`;
}
