/** How an app is opened, and how a run of it is asked for. */
import type { SplitRequest } from "./core/tool.ts";
import type { FollowHooks } from "./following.ts";
import type { Plan } from "./plan-calls.ts";
import type { RunOptions } from "./team/engine.ts";
import type { WorkersMode } from "./team/fleet.ts";
import type { WorkerOptions } from "./team/worker.ts";

export interface AppOptions {
  /** A directory inside the repository. Default: the working directory. */
  readonly repo?: string | undefined;
  /** The team file. Default: `team.yaml` at the top of the repository, else in the working directory. */
  readonly team?: string | undefined;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** How long what runs here may go on when it is to be handed back, milliseconds. Default: OXBOW_DRAIN_MS. */
  readonly drainMs?: number | undefined;
  /** For a worker: where the team has a `repo.url`, a mirror of it in the state directory in place of the repository. */
  readonly mirror?: boolean | undefined;
  /** For a service: calls see the team as its file says it now. */
  readonly followTeamFile?: boolean | undefined;
  /** Log lines on stderr too, unless OXBOW_LOG_STDERR says otherwise. */
  readonly logStderr?: boolean | undefined;
  /** Who works on what `start` and `goOn` carry in the background; as `RunHooks.workers`. */
  readonly workers?: WorkersMode | undefined;
}

export interface RunTask {
  readonly title: string;
  readonly taskId?: string | undefined;
  readonly ticket?: string | undefined;
  readonly base?: string | undefined;
  readonly options: RunOptions;
  /** Its subtasks, in place of a lead that splits. */
  readonly plan?: Plan | undefined;
  /** The parts as the caller wants them. */
  readonly split?: SplitRequest | undefined;
}

export interface RunHooks extends FollowHooks {
  /**
   * `auto` (default): live workers do the work, this process only what none of them takes. `none`: it works alone.
   * `only`: it never works itself, and waits for workers.
   */
  readonly workers?: WorkersMode | undefined;
  /** False: the task is handed back as soon as only a person's answers are missing (its report is `waiting`). Default: it is waited for. */
  readonly wait?: boolean | undefined;
}

export interface WorkOptions extends WorkerOptions {
  /** Read the team file again when it has changed. Agents that `registry()` was given meanwhile are forgotten then. */
  readonly followTeamFile?: boolean | undefined;
}
