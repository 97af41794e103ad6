/**
 * What follows from a crash (SPEC C6, D8, E3), decided from the task's rows alone, so that every process comes to the
 * same: again after a wait, together with others, not any more, or the end of the task. docs/supervision.md has the rules.
 */
import type { EventBody } from "../core/events.ts";
import type { GroupSpec } from "../core/team-groups.ts";
import type { TeamFile } from "../core/team-file.ts";
import type { Crash, CrashVerdict, EndedAttempt } from "../store/supervision.ts";
import { createBackoff } from "../core/backoff.ts";
import { STOP } from "../core/stop.ts";
import { createSupervision, type SupervisionAction } from "../core/supervision.ts";
import { groupLimits, MOST_ATTEMPTS } from "../core/team-groups.ts";

/** Failures in a row of one agent of which the chief is told. */
export const TOLD_AFTER = 3;

export interface Judgement extends CrashVerdict {
  /** What the team's lead is to know. */
  readonly forChief: string | null;
}

export function groupOf(team: TeamFile, agent: string): GroupSpec | null {
  const name = team.agents.find((each) => each.name === agent)?.group ?? null;
  return team.groups.find((group) => group.name === name) ?? null;
}

/** Attempts of one subtask of the agent that may crash. */
export function attemptLimit(team: TeamFile, agent: string): number {
  return groupOf(team, agent)?.attempts ?? MOST_ATTEMPTS;
}

export function judge(team: TeamFile, crash: Crash): Judgement {
  const { subtask, failure, attempt } = crash;
  const { agent } = subtask;
  const group = groupOf(team, agent);
  if (group?.critical) return stopTree(crash);
  const log = withoutRepeats(crash.log);
  // Several of its conversations went down with one process: that is one crash of the agent.
  const isRepeat = log.length < crash.log.length && countAt(crash, crash.log) > countAt(crash, log);
  const actions = isRepeat ? [] : replay(team, group, agent, log);
  const gaveUp = actions.some(({ kind }) => kind === "give_up");
  const { delayS, inARow } = wait(agent, log);
  const exhausted = crash.crashes >= attemptLimit(team, agent);
  const together = gaveUp ? [] : namesOf(actions, "stop");
  const disabled = gaveUp ? [...new Set([agent, ...namesOf(actions, "stop")])] : [];
  const about = aboutCrash(crash);
  const events: EventBody[] = [];
  if (exhausted)
    events.push({
      event: "agent_failed",
      ...about,
      agent,
      attempt,
      code: "attempts_exhausted",
      message: `${crash.crashes} attempts at ${subtask.subtask_id} broke; the last: ${failure.message}`,
    });
  else if (!gaveUp)
    events.push({
      event: "agent_restarted",
      ...about,
      agent,
      attempt,
      restarts: log.filter((each) => each.crashed && each.agent === agent).length,
      delay_ms: delayS * 1000,
      error: failure,
      together,
    });
  if (gaveUp) events.push(...limitEvents(crash, group, disabled));
  return {
    delayMs: exhausted || gaveUp ? 0 : delayS * 1000,
    restart: together,
    disable: disabled.map((name) => ({ agent: name, reason: disabledReason(agent, name, group) })),
    cancelCode: null,
    events,
    forChief: forChief(crash, disabled, isRepeat ? 0 : inARow),
  };
}

function aboutCrash({ task, subtask }: Crash) {
  const { subtask_id, conversation_id, agent } = subtask;
  return { task_id: task.task_id, subtask_id, conversation_id, source: agent };
}

function stopTree(crash: Crash): Judgement {
  const { agent } = crash.subtask;
  const { code, message } = STOP.critical;
  const about = aboutCrash(crash);
  return {
    delayMs: 0,
    restart: [],
    disable: [],
    cancelCode: code,
    events: [
      {
        event: "agent_failed",
        ...about,
        agent,
        attempt: crash.attempt,
        code,
        message: `${agent} is critical and crashed: ${crash.failure.message}`,
      },
      { event: "cancel_requested", task_id: crash.task.task_id, reason: message, code },
    ],
    forChief: null,
  };
}

/** The crashes of one agent with one process are one. */
function withoutRepeats(log: readonly EndedAttempt[]): readonly EndedAttempt[] {
  const seen = new Set<string>();
  return log.filter((each) => {
    if (!each.crashed) return true;
    const key = JSON.stringify([each.agent, each.worker_id, each.ended_at]);
    return !seen.has(key) && seen.add(key);
  });
}

function countAt({ subtask, at }: Crash, log: readonly EndedAttempt[]): number {
  return log.filter((each) => each.crashed && each.agent === subtask.agent && each.ended_at === at).length;
}

/** OTP's rule over all crashes so far; what it says to the last. A temporary agent is not restarted, so it counts for nobody. */
function replay(
  team: TeamFile,
  group: GroupSpec | null,
  agent: string,
  log: readonly EndedAttempt[],
): readonly SupervisionAction[] {
  if (group?.restart === "temporary") return [];
  const shared = group?.strategy ?? null;
  const members =
    group === null || shared === null
      ? [agent]
      : team.agents.filter((each) => each.group === group.name).map((each) => each.name);
  const supervision = createSupervision({
    strategy: shared ?? "one_for_one",
    intensity: group?.maxRestarts ?? DEFAULT_LIMITS.maxRestarts,
    periodS: group?.windowS ?? DEFAULT_LIMITS.windowS,
    children: members.map((id) => ({ id, restart: "permanent" })),
  });
  let actions: readonly SupervisionAction[] = [];
  for (const each of log) {
    if (each.crashed && members.includes(each.agent))
      actions = supervision.exit(each.agent, "error", each.ended_at / 1000);
  }
  return actions;
}

const DEFAULT_LIMITS = groupLimits({ name: "" });

function namesOf(actions: readonly SupervisionAction[], kind: SupervisionAction["kind"]): string[] {
  return actions.flatMap((action) =>
    action.kind === kind && action.child !== undefined ? [action.child] : [],
  );
}

/** A stable minute, or an attempt that ended in order, forgives what was before. */
function wait(agent: string, log: readonly EndedAttempt[]): { delayS: number; inARow: number } {
  let backoff = createBackoff();
  let last = { delayS: 0, inARow: 0 };
  for (const each of log) {
    if (each.agent !== agent) continue;
    if (!each.crashed) {
      backoff = createBackoff();
      continue;
    }
    backoff.started(each.started_at / 1000);
    last = backoff.failed(each.ended_at / 1000);
  }
  return last;
}

function limitEvents(crash: Crash, group: GroupSpec | null, agents: readonly string[]): EventBody[] {
  const about = aboutCrash(crash);
  const limits = group ?? DEFAULT_LIMITS;
  return [
    {
      event: "restart_limit_exceeded",
      ...about,
      agents,
      group: group?.name ?? null,
      max_restarts: limits.maxRestarts,
      window_s: limits.windowS,
    },
    ...agents.map(
      (agent): EventBody => ({
        event: "agent_failed",
        ...about,
        agent,
        attempt: crash.attempt,
        code: "agent_disabled",
        message: disabledReason(crash.subtask.agent, agent, group),
      }),
    ),
  ];
}

function disabledReason(crashed: string, agent: string, group: GroupSpec | null): string {
  const { maxRestarts, windowS } = group ?? DEFAULT_LIMITS;
  const times = `more than ${maxRestarts} time${maxRestarts === 1 ? "" : "s"} in ${windowS} s`;
  const who = crashed === agent ? agent : `${crashed}, which is in one group with ${agent},`;
  return `${who} crashed ${times}; it is not started any more in this task.`;
}

function forChief(crash: Crash, disabled: readonly string[], inARow: number): string | null {
  const { agent } = crash.subtask;
  if (disabled.length > 0)
    return `${disabled.join(", ")} will not be started any more in this task: ${agent} crashed too often. The last error: ${crash.failure.message}`;
  if (inARow !== TOLD_AFTER) return null;
  return `${agent} has crashed ${TOLD_AFTER} times in a row. The last error: ${crash.failure.message}`;
}
