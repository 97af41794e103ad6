/** Groups of team.yaml: fault domains whose members are restarted together (SPEC E3), and what contradicts itself in them. */
import { backoffTotalS } from "./backoff.ts";
import type { Restart, Strategy } from "./supervision.ts";
import type { Fail } from "./team-issues.ts";
import { type RawTeam, TEAM_DEFAULTS } from "./team-schema.ts";
import { suggestion } from "./text.ts";

/** A fault domain. What it leaves out is filled in. */
export interface GroupSpec {
  readonly name: string;
  /** The first crash of a member stops the task. It has no other policy. */
  readonly critical: boolean;
  /** Null: each member is restarted by itself, and its restarts are counted by themselves. */
  readonly strategy: Strategy | null;
  readonly restart: Restart;
  readonly maxRestarts: number;
  readonly windowS: number;
  /** Attempts of one subtask that may crash before it has its outcome. */
  readonly attempts: number;
}

/** Attempts of one subtask, where its agent's group does not say otherwise (SPEC C6). */
export const MOST_ATTEMPTS = 3;

export function shapeGroup(raw: RawGroup): GroupSpec {
  const restart = raw.restart ?? "transient";
  const once = raw.critical === true || restart === "temporary";
  const given = raw.max_restarts === undefined ? MOST_ATTEMPTS : raw.max_restarts + 1;
  return {
    name: raw.name,
    critical: raw.critical ?? false,
    strategy: raw.strategy ?? null,
    restart,
    ...groupLimits(raw),
    attempts: once ? 1 : given,
  };
}

type RawGroup = NonNullable<RawTeam["groups"]>[number];

/** How many restarts within how many seconds a group may have. */
export function groupLimits(group: RawGroup): { readonly maxRestarts: number; readonly windowS: number } {
  const { maxRestarts, maxRestartsWithStrategy, windowS } = TEAM_DEFAULTS.group;
  return {
    maxRestarts: group.max_restarts ?? (group.strategy === undefined ? maxRestarts : maxRestartsWithStrategy),
    windowS: group.window_s ?? windowS,
  };
}

export function checkGroups(raw: RawTeam, fail: Fail): void {
  const names = new Set<string>();
  for (const [i, group] of (raw.groups ?? []).entries()) {
    if (names.has(group.name))
      fail("team_file_invalid", ["groups", i, "name"], `there is a group ${group.name} already`);
    names.add(group.name);
    checkPolicy(group, i, fail);
  }
  for (const [i, { group }] of raw.agents.entries()) {
    if (group === undefined || names.has(group)) continue;
    fail(
      "team_file_invalid",
      ["agents", i, "group"],
      `there is no group ${group}.${suggestion(group, names)}`,
    );
  }
}

function checkPolicy(group: RawGroup, i: number, fail: Fail): void {
  if (group.critical === true) {
    const policies = ["strategy", "restart", "max_restarts", "window_s"] as const;
    const policy = policies.find((key) => group[key] !== undefined);
    if (policy === undefined) return;
    fail(
      "team_file_invalid",
      ["groups", i, policy],
      `a critical group stops the tree at the first crash; it has no ${policy}`,
    );
  }
  // Else the waits alone keep restarts so far apart that the group would never be given up.
  const { maxRestarts, windowS } = groupLimits(group);
  const needed = backoffTotalS(maxRestarts + 1);
  if (needed <= windowS) return;
  const key = group.window_s === undefined ? "max_restarts" : "window_s";
  fail(
    "team_file_invalid",
    ["groups", i, key],
    `the waits before ${maxRestarts + 1} restarts take ${needed} s (1, 2, 4 … at most 60 each), which does not fit ` +
      `a window of ${windowS} s; raise window_s to ${needed} or lower max_restarts`,
  );
}
