/**
 * The library's app: what `oxbow` does, as methods. Options and names are camelCase; results, which are also rows, events
 * and lines of JSON, keep their snake_case fields.
 */
import type { OxbowEvent, Report } from "./core/events.ts";
import type { BudgetAsk, TaskBudget } from "./core/budget-saved.ts";
import type { Json, Task } from "./core/model.ts";
import type { Plan, Planner } from "./core/plan.ts";
import type { TeamRegistry } from "./core/registry.ts";
import type { SignalMessage, Signals, SignalTimeout, SplitRequest, SplitResult } from "./core/tool.ts";
import type { BranchAllocation } from "./git/contract.ts";
import type { HandoverCalls } from "./handover-calls.ts";
import type { Conflicts } from "./team/conflict-case.ts";
import type { ShownApproval } from "./team/approvals.ts";
import type { ScopeCheck } from "./team/scope-verdict.ts";
import type { AgentState, Alert, Assigned, Cancelled, Reopened } from "./team/intervention-results.ts";
import type { SubAgents, SubAgentsOptions } from "./sub-agents.ts";
import type { TaskStatus } from "./team/status.ts";
import type { OrchestrateCalls } from "./orchestration.ts";
import type { WorkerEvent, WorkerOptions } from "./team/worker-events.ts";
import type { Webhooks } from "./webhooks.ts";
import { openApp as openCore } from "./app.ts";
import { OxbowError } from "./core/errors.ts";
import { STOP } from "./core/stop.ts";
import {
  checkExecution,
  checkSplit,
  checkText,
  checkWait,
  checkWaits,
  checkYesOrNo,
} from "./library-input.ts";
import { libraryWebhooks } from "./library-webhooks.ts";

export type { WorkerEvent, WorkerOptions };

/** Positions after which a wait reads, by topic. */
export type LastIds = Readonly<Record<string, string>>;
export type SignalAnyResult = Awaited<ReturnType<Signals["waitAny"]>>;
export type SignalAllResult = Awaited<ReturnType<Signals["waitAll"]>>;

export interface AppOptions {
  /** A directory inside the repository. Default: the working directory. */
  readonly repo?: string | undefined;
  /** The team file. Default: `team.yaml` at the top of the repository. */
  readonly team?: string | undefined;
  /** Settings and what programs are started with. Default: the process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface AllocateBranchOptions {
  readonly agentName: string;
  /** Default: the literal `task`. */
  readonly ticket?: string | undefined;
  /** A revision. Default: HEAD. */
  readonly base?: string | undefined;
  /** Check the branch out as well; refused on a dirty tree. Default: false, and your checkout is not touched. */
  readonly switch?: boolean | undefined;
}

export interface RunTaskOptions {
  /** Names the branches `feature/<ticket>/<agent>` and `integration/<ticket>`. Default: the task's id. */
  readonly ticket?: string | undefined;
  readonly base?: string | undefined;
  /** Split along the team's path owners, without a model. */
  readonly by?: "owner" | undefined;
  /** Carry out this plan; the task is then only its title. */
  readonly plan?: Plan | undefined;
  /** `openai`, `openai_chat` or `scripted`. */
  readonly provider?: string | undefined;
  /** The model of every agent in this run. */
  readonly model?: string | undefined;
  readonly runtime?: "openai_agents" | "command" | undefined;
  /** The program of runtime `command` and its arguments; `{task}`, `{branch}` and `{paths}` are replaced. */
  readonly command?: readonly string[] | undefined;
  /** Absolute path of a script, in place of a model. */
  readonly script?: string | undefined;
  /** Conversations at work at once. */
  readonly maxParallel?: number | undefined;
  /** What the task may use, all its agents together; each limit in place of the team file's. */
  readonly budget?: BudgetAsk | undefined;
  /**
   * `auto` (default): live workers do the work, this process what none of them takes. `none`: it works alone. `only`: it
   * waits for workers.
   */
  readonly workers?: "auto" | "none" | "only" | undefined;
  /** False: handed back (its report is `waiting`) as soon as only a person's answers are missing. Default: waited for. */
  readonly wait?: boolean | undefined;
  readonly onEvent?: ((event: OxbowEvent) => void) | undefined;
  /** The task is durable: from here on `resume` can go on with it. */
  readonly onSubmitted?: ((task: Task) => void) | undefined;
}

export interface PlanTaskOptions
  extends Pick<RunTaskOptions, "ticket" | "base" | "provider" | "model" | "script"> {
  /** `rules`: without a model. `llm`: a model plans all. `hybrid`: a model plans what the rules leave (default, where there is one). */
  readonly planner?: Planner | undefined;
  /** Whose model is asked. Default: the lead's. */
  readonly plannerAgent?: string | undefined;
  /** Milliseconds until it must be done; an agent whose `sla_ms` is longer is avoided. */
  readonly deadlineMs?: number | undefined;
}

/** The calls that are also free functions of the package. */
export interface Calls {
  /**
   * Enqueues a task with its children and returns as soon as they are durable: `children` are conversation ids in the
   * order of `topics`. Workers carry them out (`app.work()`, `oxbow worker`). `wait: true` waits at most `timeoutMs` for
   * every done signal; `ok` is false when one is still out, and the children go on.
   * Throws split_invalid, limit_exceeded, agent_unknown, plan_invalid, nothing_to_split, ticket_in_use; nothing is made then.
   */
  orchestrateSplit(request: SplitRequest, signal?: AbortSignal): Promise<SplitResult>;
  /** Throws topic_rejected, payload_invalid, payload_too_large. */
  signalSend(topic: string, payload: Json): Promise<{ ok: true; topic: string; message_id: string }>;
  /** The first message after `lastId` (without one: the first there is); `ok: false` after `timeoutMs` (30,000). */
  signalWait(
    topic: string,
    lastId?: string | null,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SignalMessage | SignalTimeout>;
  /** The first message on any of the topics. */
  signalWaitAny(
    topics: readonly string[],
    lastIds?: LastIds | null,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SignalAnyResult>;
  /** One message from each topic, by topic; `missing` lists those without one when the time was up. */
  signalWaitAll(
    topics: readonly string[],
    lastIds?: LastIds | null,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SignalAllResult>;
  /** Makes `feature/<ticket>/<agent>`, or finds it (`created: false`); it is never re-pointed. */
  allocateBranch(options: AllocateBranchOptions): Promise<BranchAllocation>;
}

export interface OxbowApp extends Calls, HandoverCalls, OrchestrateCalls, AsyncDisposable {
  /** Plans, splits, works, merges and reports, as `oxbow run` does. Aborting cancels; the work done so far is kept. */
  run(task: string, options?: RunTaskOptions, signal?: AbortSignal): Promise<Report>;
  /**
   * Who would do which part of a task, in which order, and what a person must agree to; makes nothing. `run` carries it out
   * (`{ plan }`), as it is or changed. Throws usage, agent_unknown, rev_not_found, plan_invalid, and with a model what its
   * run failed with.
   */
  makePlan(task: string, options?: PlanTaskOptions, signal?: AbortSignal): Promise<Plan>;
  /** Branches that wait for a person to settle them with their target. */
  readonly conflicts: Conflicts;
  /** Where events are sent to. */
  readonly webhooks: Webhooks;
  /** Goes on with a task whose process ended. Throws task_unknown, task_active. */
  resume(
    taskId: string,
    hooks?: Pick<RunTaskOptions, "workers" | "wait" | "onEvent" | "onSubmitted">,
    signal?: AbortSignal,
  ): Promise<Report>;
  /**
   * Takes conversations of any live task of this team and works on them, as `oxbow worker` does, until `signal` aborts or
   * the app is closed: what runs then is handed back for others. Throws agent_unknown.
   */
  work(options?: WorkerOptions, signal?: AbortSignal): Promise<void>;
  /**
   * Cancels a task (by id or ticket), or a subtask with all that was split from it, whichever process works on it; waits at
   * most `waitMs` (10,000) until it has ended. Throws task_unknown, subtask_unknown.
   */
  cancel(what: string, waitMs?: number): Promise<Cancelled>;
  /**
   * Has a subtask, or each part of a task that did not complete, tried again by a new subtask in its place. The task is
   * live then: `resume` it, or leave it to workers. Throws task_unknown, subtask_unknown, subtask_active, nothing_to_retry,
   * ticket_in_use.
   */
  retry(what: string): Promise<Reopened>;
  /** Gives a subtask that has not begun, is blocked, or did not complete, to another agent. Throws as `retry`, and agent_unknown. */
  assign(subtask: string, agent: string): Promise<Assigned>;
  /**
   * What a task may use and has used; null: nothing limits it. With limits it sets these first, also while the task runs.
   * Throws task_unknown, usage.
   */
  budget(task: string, limits?: BudgetAsk): Promise<TaskBudget | null>;
  /** Subtasks that nobody can work on and that wait for a person, of one task (by id) or of all that are live. */
  alerts(taskId?: string): Promise<readonly Alert[]>;
  /** What each agent is doing, in one task or in all that are live. Throws task_unknown. */
  agents(task?: string): Promise<readonly AgentState[]>;
  /** One task by id or ticket, or the newest. Throws task_unknown. */
  status(taskIdOrTicket?: string): Promise<readonly TaskStatus[]>;
  /** Requests of agents to write outside of their paths: the open ones, or all. */
  approvals(options?: { taskId?: string; all?: boolean }): Promise<readonly ShownApproval[]>;
  /** Answers one in the name of the repository's user. Throws approval_unknown, approval_decided (somebody was first). */
  decide(id: string, decision: { granted: boolean; reason?: string }): Promise<ShownApproval>;
  /** What a branch changes, and what of it is outside of its agent's scope. Throws rev_not_found, agent_unknown, usage. */
  checkScope(branch: string, options?: { agent?: string; base?: string }): Promise<ScopeCheck>;
  /** As `createSubAgents`, with the merge strategies that plugins of the team have registered. */
  subAgents(options: SubAgentsOptions): Promise<SubAgents>;
  /** The team at work: agents registered here can be split to by this app. */
  team(): Promise<TeamRegistry>;
  /** Ends its calls and what it holds open; work in progress is handed back. Calling it again does nothing. */
  close(): Promise<void>;
}

/** Opens nothing yet: the repository, the store and the team are opened by the first call that needs them. */
export function openApp(options: AppOptions = {}): OxbowApp {
  const app = openCore(options);
  const closing = new AbortController();
  const working = new Set<Promise<unknown>>();
  let closed: Promise<void> | null = null;

  /** Every call ends with the app, too. Throws usage after `close`. */
  const until = (signal: AbortSignal | undefined): AbortSignal => {
    if (closing.signal.aborted)
      throw new OxbowError("usage", "The app is closed.", { hint: "Open another one." });
    return signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
  };
  const during = async <T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) => {
    const running = work(until(signal));
    working.add(running);
    try {
      return await running;
    } finally {
      working.delete(running);
    }
  };
  const close = async () => {
    closing.abort(STOP.handBack);
    await Promise.allSettled(working);
    await app.close();
  };

  return {
    orchestrateSplit: (request, signal) => during(signal, (stop) => app.split(checkSplit(request), stop)),
    signalSend: (topic, payload) =>
      during(undefined, () => {
        checkText("topic", topic);
        return app.signalSend(topic, payload);
      }),
    signalWait: (topic, lastId, timeoutMs, signal) =>
      during(signal, async (stop) => {
        const ms = checkWait(topic, lastId, timeoutMs);
        return (await app.signals()).wait(topic, lastId ?? undefined, ms, stop);
      }),
    signalWaitAny: (topics, lastIds, timeoutMs, signal) =>
      during(signal, async (stop) => {
        const ms = checkWaits(topics, lastIds, timeoutMs);
        return (await app.signals()).waitAny(topics, lastIds ?? {}, ms, stop);
      }),
    signalWaitAll: (topics, lastIds, timeoutMs, signal) =>
      during(signal, async (stop) => {
        const ms = checkWaits(topics, lastIds, timeoutMs);
        return (await app.signals()).waitAll(topics, lastIds ?? {}, ms, stop);
      }),
    allocateBranch: (request) =>
      during(undefined, () => {
        checkText("agentName", request.agentName);
        return app.allocateBranch(request);
      }),

    run: (task, given = {}, signal) =>
      during(signal, (stop) => {
        checkText("task", task);
        const { ticket, base, plan, ...hooks } = given;
        return app.run({ title: task, ticket, base, plan, options: runOptions(given) }, hooks, stop);
      }),
    makePlan: (task, given = {}, signal) =>
      during(signal, (stop) => {
        checkText("task", task);
        return app.makePlan({ ...given, task, options: runOptions(given) }, stop);
      }),
    resume: (taskId, hooks = {}, signal) => during(signal, (stop) => app.resume(taskId, hooks, stop)),
    orchestrate: (submission, signal) => during(signal, (stop) => app.orchestrate(submission, stop)),
    execute: (taskId, execution) =>
      during(undefined, () => {
        checkText("taskId", taskId);
        checkExecution(execution);
        return app.execute(taskId, execution);
      }),
    taskView: (taskId) =>
      during(undefined, () => {
        checkText("taskId", taskId);
        return app.taskView(taskId);
      }),
    work: (given = {}, signal) => during(signal, (stop) => app.work(given, stop)),
    cancel: (what, waitMs) =>
      during(undefined, () => {
        checkText("what", what);
        return app.cancel(what, waitMs);
      }),
    retry: (what) =>
      during(undefined, () => {
        checkText("what", what);
        return app.retry(what);
      }),
    assign: (subtask, agent) =>
      during(undefined, () => {
        checkText("subtask", subtask);
        checkText("agent", agent);
        return app.assign(subtask, agent);
      }),
    budget: (task, limits) => during(undefined, () => app.budget(task, limits)),
    alerts: (taskId) => during(undefined, () => app.alerts(taskId)),
    agents: (task) => during(undefined, () => app.agents(task)),
    status: (wanted) => during(undefined, () => app.status(wanted)),
    approvals: (wanted = {}) => during(undefined, () => app.approvals(wanted)),
    decide: (id, { granted, reason = "" }) =>
      during(undefined, () => {
        checkText("id", id);
        checkYesOrNo("granted", granted);
        checkText("reason", reason);
        return app.decide(id, { granted, reason });
      }),
    checkScope: (branch, wanted = {}) =>
      during(undefined, () => {
        checkText("branch", branch);
        return app.checkScope(branch, wanted);
      }),
    diff: (wanted, options) =>
      during(undefined, () => {
        checkText("taskOrTicket", wanted);
        return app.diff(wanted, options);
      }),
    merge: (wanted, options, signal) =>
      during(signal, (stop) => {
        checkText("taskOrTicket", wanted);
        return app.merge(wanted, options, stop);
      }),
    report: (wanted) =>
      during(undefined, () => {
        checkText("taskOrTicket", wanted);
        return app.report(wanted);
      }),
    conflicts: {
      list: (wanted, filter) => during(undefined, () => app.conflicts.list(wanted, filter)),
      take: (wanted, choice, signal) =>
        during(signal, (stop) => {
          checkText("taskIdOrTicket", wanted);
          return app.conflicts.take(wanted, choice, stop);
        }),
      resolve: (wanted, choice, signal) =>
        during(signal, (stop) => {
          checkText("taskIdOrTicket", wanted);
          return app.conflicts.resolve(wanted, choice, stop);
        }),
    },
    webhooks: libraryWebhooks(app.webhooks, during),
    subAgents: (wanted) => during(undefined, () => app.subAgents(wanted)),
    team: () => during(undefined, () => app.registry()),
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]: () => (closed ??= close()),
  };
}

function runOptions(given: RunTaskOptions) {
  return {
    by: given.by ?? null,
    provider: given.provider ?? null,
    model: given.model ?? null,
    runtime: given.runtime ?? (given.command === undefined ? null : ("command" as const)),
    command: given.command ?? null,
    script: given.script ?? null,
    maxParallel: given.maxParallel ?? null,
    ...(given.budget === undefined ? {} : { budget: given.budget }),
  };
}
