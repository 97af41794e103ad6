/**
 * The composition root: settings → App. Each room is imported when first needed, so that a look-up in the team file
 * costs no more than reading it.
 */
import type { Report } from "./core/events.ts";
import type { Task } from "./core/model.ts";
import type { TeamRegistry } from "./core/registry.ts";
import type { OwnerAnswer } from "./core/tool.ts";
import type { WorkerPresence } from "./store/contract.ts";
import type { DoctorOptions, DoctorRow } from "./doctor.ts";
import type { InitOptions, MadeTeam } from "./init.ts";
import type { Answer, ShownApproval } from "./team/approvals.ts";
import type { ScopeCheck } from "./team/scope-verdict.ts";
import type { FiredNow, ShownSchedule } from "./team/schedule-list.ts";
import type { TaskStatus } from "./team/status.ts";
import { describeSettings, parseSettings, type Settings } from "./core/settings.ts";
import { type BudgetCalls, budgetCalls } from "./budget-calls.ts";
import { environment } from "./host/env.ts";
import { hasCode, toErrorValue } from "./core/errors.ts";
import { type ExtensionCalls, extensionCalls } from "./extension-calls.ts";
import { handingBack, STOP, withReason } from "./core/stop.ts";
import { handover } from "./handover.ts";
import type { HandoverCalls } from "./handover-calls.ts";
import type { Conflicts } from "./team/conflict-case.ts";
import { conflictMethods } from "./conflicts.ts";
import { type ConversationCalls, createConversationCalls } from "./conversation-calls.ts";
import { type BackgroundCalls, createBackground } from "./background-calls.ts";
import { type Interventions, interventions } from "./interventions.ts";
import { type PlanCalls, planCalls } from "./plan-calls.ts";
import { loadTeam } from "./load-team.ts";
import { createMetricsCalls, type MetricsCalls } from "./metrics-calls.ts";
import { type OrchestrateCalls, orchestrateCalls } from "./orchestrate-calls.ts";
import { type RepositoryCalls, repositoryCalls } from "./repository-calls.ts";
import { createStreamCalls, type StreamCalls } from "./stream-calls.ts";
import { openRooms } from "./rooms.ts";
import { type ServiceCalls, serviceCalls } from "./service-calls.ts";
import { type SignalCalls, signalCalls } from "./signal-calls.ts";
import { createWebhookCalls, type WebhookCalls } from "./webhook-calls.ts";

import type { AppOptions, RunHooks, RunTask, WorkOptions } from "./app-options.ts";

export type { AppOptions, RunHooks, RunTask, WorkOptions } from "./app-options.ts";
export type { WorkersMode } from "./team/fleet.ts";
export type { WorkerEvent } from "./team/worker.ts";
export type { WorkerPresence } from "./store/contract.ts";
export type { AgentState, Alert } from "./team/intervention-results.ts";
export type { RunOptions } from "./team/engine.ts";
export type { Execution, TaskView } from "./orchestrate-calls.ts";
export type { RepositoryFacts } from "./repository-calls.ts";
export type { ShownApproval } from "./team/approvals.ts";
export type { ConflictCase, SettledConflict, ShownConflict } from "./team/conflict-case.ts";
export type {
  AgentCard,
  AgentFilter,
  AgentHealth,
  Log,
  Principal,
  Scope,
  TaskFilter,
  TokenRecord,
} from "./service-calls.ts";
export type { ScopeCheck } from "./team/scope-verdict.ts";
export type { FiredNow, ShownSchedule } from "./team/schedule-list.ts";
export type { Plan, PlanBase, PlanRequest } from "./plan-calls.ts";
export type { TaskStatus } from "./team/status.ts";
export type { ReportFormat } from "./handover.ts";
export type { BranchDiff, TicketHistory } from "./team/handover-results.ts";
export type { Merged } from "./handover-calls.ts";
export type { ShownTry, ShownWebhook } from "./webhook-calls.ts";

/** A value with its secrets redacted, for showing it. */
export async function shown<T>(value: T): Promise<T> {
  return (await import("./secrets.ts")).shown(value);
}

export interface PlannedRun {
  readonly task: Task;
  readonly parts: readonly {
    readonly agent: string;
    readonly brief: string;
    readonly allowed_paths: readonly string[];
    readonly files: number | null;
  }[];
  readonly leftovers: readonly string[];
  readonly notices: readonly { code: string; message: string }[];
}

export interface App
  extends Interventions,
    BudgetCalls,
    HandoverCalls,
    SignalCalls,
    RepositoryCalls,
    PlanCalls,
    ExtensionCalls,
    ServiceCalls,
    BackgroundCalls,
    OrchestrateCalls,
    ConversationCalls,
    MetricsCalls,
    StreamCalls,
    WebhookCalls,
    AsyncDisposable {
  readonly settings: Settings;
  /** Conflicts that wait for a person. */
  readonly conflicts: Conflicts;
  run(request: RunTask, hooks: RunHooks, signal: AbortSignal): Promise<Report>;
  resume(taskId: string, hooks: RunHooks, signal: AbortSignal): Promise<Report>;
  /**
   * Takes conversations of any live task of this team and works on them, until `signal` aborts: then what runs is handed
   * back for others. Throws agent_unknown.
   */
  work(options: WorkOptions, signal: AbortSignal): Promise<void>;
  /** Processes that work so, here or elsewhere. */
  workers(): Promise<readonly WorkerPresence[]>;
  /** What `run` would do; makes nothing. */
  plan(request: RunTask): Promise<PlannedRun>;
  status(taskIdOrTicket?: string): Promise<readonly TaskStatus[]>;
  /** What a branch changes, and what of it is outside of its agent's scope. Throws rev_not_found, agent_unknown, usage. */
  checkScope(branch: string, options: { agent?: string; base?: string }): Promise<ScopeCheck>;
  /** Requests to write outside of a scope: the open ones, or all. */
  approvals(options: { taskId?: string | undefined; all?: boolean }): Promise<readonly ShownApproval[]>;
  /** Answers one, in the name of the repository's user or of `as`. Throws approval_unknown, approval_decided. */
  decide(id: string, decision: Answer): Promise<ShownApproval>;
  /** What `schedule:` says, and what became of it. */
  schedules(): Promise<readonly ShownSchedule[]>;
  /** Fires an agent's schedule now, besides its times. Throws usage when it has none. */
  fireSchedule(agent: string): Promise<FiredNow>;
  /** The team at work. */
  registry(): Promise<TeamRegistry>;
  close(): Promise<void>;
}

/** Reads and checks the settings of an environment. Throws setting_unknown, setting_invalid. */
export function readSettings(env?: Readonly<Record<string, string>>): Settings {
  return parseSettings(env ?? environment());
}

/** Every setting with its value (secrets only as set or not) and where it came from. */
export const settingRows = describeSettings;

/** Checks what Oxbow needs here. */
export async function examine(options: DoctorOptions): Promise<DoctorRow[]> {
  return (await import("./doctor.ts")).examine(options);
}

/** Writes a team.yaml that fits the repository. Throws usage when there is one, codeowners_invalid. */
export async function initTeam(options: InitOptions): Promise<MadeTeam> {
  return (await import("./init.ts")).initTeam(options);
}

/** Who owns each path, from the team file alone. Throws path_rejected. */
export async function owners(
  paths: readonly string[],
  options: Pick<AppOptions, "team" | "repo">,
): Promise<OwnerAnswer[]> {
  const { team } = await loadTeam(options);
  const { TeamRegistry } = await import("./core/registry.ts");
  const registry = TeamRegistry.fromTeamFile(team);
  return paths.map((path) => {
    const owner = registry.findOwner(path);
    return { path, owner: owner && { ...owner, window_person: registry.windowPerson(owner.team) ?? null } };
  });
}

/** Opens nothing yet: the repository, the store and the team are opened by the first call that needs them. */
export function openApp(options: AppOptions = {}): App {
  const env = options.env ?? environment();
  const given = parseSettings(env);
  const settings: Settings = { ...given, oxbowDrainMs: options.drainMs ?? given.oxbowDrainMs };
  const opened = once(() => openRooms(options, settings, env));
  const bound = once(async () =>
    (await import("./bind.ts")).bindEngine(options, settings, env, await opened()),
  );
  const current = once(async () =>
    options.followTeamFile === true
      ? (await import("./bind.ts")).followTeamFile(await bound(), options, settings, env, await opened())
      : bound,
  );
  /** With the agents of the team as they are now. */
  const engine = async () => {
    const follow = await current();
    // A file that became invalid is told of once; then the team is as it was.
    const now = await follow().catch(follow);
    await (await import("./team/registered-agents.ts")).followAgents(now);
    return now;
  };
  const plain = once(async () =>
    (await import("./bind.ts")).bindEngine(options, settings, env, await opened(), { plugins: false }),
  );
  const anyway = () =>
    engine().catch((error: unknown) => {
      if (hasCode(error, "plugin_failed")) return plain();
      throw error;
    });
  const failed = async (error: unknown) => {
    (await bound.made())?.log.error({ error: toErrorValue(error) }, "background");
  };
  const { close: handBack, ...background } = createBackground({
    run: (request, hooks, signal) => app.run(request, { ...hooks, workers: options.workers }, signal),
    resume: (taskId, hooks, signal) => app.resume(taskId, { ...hooks, workers: options.workers }, signal),
    failed,
  });
  const { close: endTalk, ...conversations } = createConversationCalls(engine, failed);
  const { close: endMetrics, ...metrics } = createMetricsCalls(engine);
  const { close: endStreams, ...streams } = createStreamCalls(opened, engine);
  const { during, ...webhooks } = createWebhookCalls(opened, bound, settings, env);
  const app: App = {
    settings,
    ...background,
    ...conversations,
    ...metrics,
    ...streams,
    ...webhooks,
    ...interventions(engine, anyway),
    ...budgetCalls(opened),
    conflicts: conflictMethods(engine),
    ...handover(opened, settings, env),
    ...signalCalls(opened, engine, settings),
    ...repositoryCalls(opened, settings),
    ...planCalls(engine, env),
    ...extensionCalls(bound),
    ...serviceCalls(opened, engine),
    ...orchestrateCalls(opened, engine, webhooks),

    async run(request, hooks, signal) {
      const { runTask } = await import("./team/flow.ts");
      const { following } = await import("./following.ts");
      const now = await engine();
      const how = { workers: hooks.workers ?? "auto", wait: hooks.wait ?? true };
      return during(() =>
        following(now, hooks, (submitted) =>
          runTask(now, request, { ...how, submitted }, withReason(signal, STOP.cancelled)),
        ),
      );
    },

    async resume(taskId, hooks, signal) {
      const { resumeTask } = await import("./team/flow.ts");
      const { following } = await import("./following.ts");
      const now = await engine();
      const how = { workers: hooks.workers ?? "auto", wait: hooks.wait ?? true };
      return during(() =>
        following(now, hooks, (submitted) =>
          resumeTask(now, taskId, { ...how, submitted }, withReason(signal, STOP.cancelled)),
        ),
      );
    },

    async work(given, signal) {
      const { serve } = await import("./team/worker.ts");
      const { withRegistered } = await import("./team/registered-agents.ts");
      const { followTeamFile } = await import("./bind.ts");
      const current = given.followTeamFile
        ? followTeamFile(await bound(), options, settings, env, await opened())
        : bound;
      await during(() => serve(withRegistered(current), given, handingBack(signal)));
    },

    async workers() {
      const { liveWorkers } = await import("./team/fleet.ts");
      const { workerIsDead } = await import("./host/worker.ts");
      return liveWorkers({ store: (await opened()).store, workerIsDead });
    },

    async plan(request) {
      const { planTask } = await import("./team/submit.ts");
      const { createMatcher } = await import("./core/ownership.ts");
      const now = await engine();
      const { task, parts, leftovers, notices } = await planTask(now, request);
      const files = await now.repo.listFiles(task.base_commit);
      return {
        task,
        leftovers,
        notices,
        parts: parts.map(({ agent, brief, allowedPaths }) => {
          const matches = createMatcher(allowedPaths);
          const count = files.filter((file) => matches(file.path)).length;
          return { agent, brief, allowed_paths: allowedPaths, files: allowedPaths.length > 0 ? count : null };
        }),
      };
    },

    async status(wanted) {
      const { taskStatus } = await import("./team/status.ts");
      const { repo, store } = await opened();
      return taskStatus(repo, store, wanted);
    },

    async checkScope(branch, wanted) {
      const { checkScope } = await import("./team/scope-check.ts");
      return checkScope(await engine(), branch, wanted);
    },

    async approvals(wanted) {
      const { listApprovals } = await import("./team/approvals.ts");
      return listApprovals((await opened()).store, wanted);
    },

    async decide(id, { granted, reason, as }) {
      const { decideApproval } = await import("./team/approvals.ts");
      const { store, repo, secrets } = await opened();
      const { name, email } = repo.identity;
      const state = granted ? "granted" : "denied";
      return decideApproval({ store, redact: secrets.redact }, id, {
        state,
        decidedBy: as ?? `${name} <${email}>`,
        answer: secrets.redact(reason),
      });
    },

    async schedules() {
      const { listSchedules } = await import("./team/schedule-list.ts");
      return listSchedules(await engine());
    },

    async fireSchedule(agent) {
      const { fireNow } = await import("./team/schedule-list.ts");
      return fireNow(await engine(), agent);
    },

    async registry() {
      return (await engine()).registry;
    },

    close: async () => {
      await handBack();
      await endTalk();
      await Promise.all([endMetrics(), endStreams()]);
      for (const each of [await bound.made(), await plain.made()]) {
        await each?.servers[Symbol.asyncDispose]();
        await each?.telemetry.close();
        each?.log.close();
      }
      const made = await opened.made();
      await made?.store[Symbol.asyncDispose]();
      await made?.repo[Symbol.asyncDispose]();
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
  return app;
}

interface Once<T> {
  (): Promise<T>;
  /** What was made, or null when nothing was asked for or it could not be made. */
  made(): Promise<T | null>;
}

function once<T>(make: () => Promise<T>): Once<T> {
  let asked: Promise<T> | null = null;
  const made = () => (asked ?? Promise.resolve(null)).catch(() => null);
  return Object.assign(() => (asked ??= make()), { made });
}
