/**
 * The library's app: what `oxbow` does, as methods. Options and names are camelCase; results, which are also rows, events
 * and lines of JSON, keep their snake_case fields.
 */
import type { OxbowEvent, Report } from "./core/events.ts";
import type { Json, Task } from "./core/model.ts";
import type { TeamRegistry } from "./core/registry.ts";
import type { SignalMessage, Signals, SignalTimeout, SplitRequest, SplitResult } from "./core/tool.ts";
import type { BranchAllocation } from "./git/contract.ts";
import type { TaskStatus } from "./team/status.ts";
import { openApp as openCore } from "./app.ts";

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
  readonly onEvent?: ((event: OxbowEvent) => void) | undefined;
  /** The task is durable: from here on `resume` can go on with it. */
  readonly onSubmitted?: ((task: Task) => void) | undefined;
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
    lastIds?: LastIds,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SignalAnyResult>;
  /** One message from each topic, by topic; `missing` lists those without one when the time was up. */
  signalWaitAll(
    topics: readonly string[],
    lastIds?: LastIds,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SignalAllResult>;
  /** Makes `feature/<ticket>/<agent>`, or finds it (`created: false`); it is never re-pointed. */
  allocateBranch(options: AllocateBranchOptions): Promise<BranchAllocation>;
}

export interface OxbowApp extends Calls, AsyncDisposable {
  /** Plans, splits, works, merges and reports, as `oxbow run` does. Aborting cancels; the work done so far is kept. */
  run(task: string, options?: RunTaskOptions, signal?: AbortSignal): Promise<Report>;
  /** Goes on with a task whose process ended. Throws task_unknown, task_active. */
  resume(
    taskId: string,
    hooks?: Pick<RunTaskOptions, "onEvent" | "onSubmitted">,
    signal?: AbortSignal,
  ): Promise<Report>;
  /** One task by id or ticket, or the newest. Throws task_unknown. */
  status(taskIdOrTicket?: string): Promise<readonly TaskStatus[]>;
  /** The team at work: agents registered here can be split to by this app. */
  team(): Promise<TeamRegistry>;
  /** Ends what the app holds open; calling it again does nothing. */
  close(): Promise<void>;
}

const DEFAULT_WAIT_MS = 30_000;

/** Opens nothing yet: the repository, the store and the team are opened by the first call that needs them. */
export function openApp(options: AppOptions = {}): OxbowApp {
  const app = openCore(options);
  return {
    orchestrateSplit: (request, signal) => app.split(request, signal ?? never()),
    signalSend: (topic, payload) => app.signalSend(topic, payload),
    async signalWait(topic, lastId, timeoutMs = DEFAULT_WAIT_MS, signal = never()) {
      return (await app.signals()).wait(topic, lastId ?? undefined, timeoutMs, signal);
    },
    async signalWaitAny(topics, lastIds = {}, timeoutMs = DEFAULT_WAIT_MS, signal = never()) {
      return (await app.signals()).waitAny(topics, lastIds, timeoutMs, signal);
    },
    async signalWaitAll(topics, lastIds = {}, timeoutMs = DEFAULT_WAIT_MS, signal = never()) {
      return (await app.signals()).waitAll(topics, lastIds, timeoutMs, signal);
    },
    allocateBranch: (request) => app.allocateBranch(request),

    run(task, given = {}, signal = never()) {
      const { ticket, base, onEvent, onSubmitted } = given;
      const options = {
        by: given.by ?? null,
        provider: given.provider ?? null,
        model: given.model ?? null,
        runtime: given.runtime ?? (given.command === undefined ? null : ("command" as const)),
        command: given.command ?? null,
        script: given.script ?? null,
        maxParallel: given.maxParallel ?? null,
      };
      return app.run({ title: task, ticket, base, options }, { onEvent, onSubmitted }, signal);
    },
    resume: (taskId, hooks = {}, signal = never()) => app.resume(taskId, hooks, signal),
    status: (wanted) => app.status(wanted),
    team: () => app.registry(),
    close: () => app.close(),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

function never(): AbortSignal {
  return new AbortController().signal;
}
