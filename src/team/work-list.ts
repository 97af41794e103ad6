/** The tasks a worker may take conversations of, what it cannot run of them, and its own row among the workers. */
import type { Lease, LiveTask } from "../store/contract.ts";
import type { Task } from "../core/model.ts";
import type { WorkerEvent } from "./worker.ts";
import { toErrorValue } from "../core/errors.ts";
import { agentNamed, checkStartable, type Engine, runOptions } from "./engine.ts";

export interface WorkList {
  /** Reads which tasks are live; tells the others what this worker declines when that changed. */
  refresh(): Promise<void>;
  /** Says that this worker is there. */
  present(): Promise<void>;
  claim(): Promise<{ readonly lease: Lease; readonly engine: Engine } | null>;
  /** Live tasks of this team that no process carries. */
  orphans(): readonly LiveTask[];
  /** With the team as last read. */
  engine(): Engine;
  about(): { readonly team: string; readonly agents: readonly string[] };
}

/** Tasks of which the same agents can be taken: one claim for all of them. */
interface Group {
  readonly agents: readonly string[];
  readonly tasks: string[];
  readonly limits: Record<string, number>;
}

interface Declined {
  readonly agents: readonly string[];
  readonly message: string;
}

/** Throws agent_unknown when one of `agents` is not of the team. */
export async function createWorkList(
  current: () => Promise<Engine>,
  options: {
    readonly agents: readonly string[] | undefined;
    readonly places: number;
    readonly tell: (event: WorkerEvent) => void;
  },
): Promise<WorkList> {
  let engine = await current();
  for (const name of options.agents ?? []) agentNamed(engine, name);
  const startedAt = engine.now();
  let groups: readonly Group[] = [];
  let orphans: readonly LiveTask[] = [];
  let declined = new Map<string, Declined>();

  const agents = () => {
    const team = engine.registry.list().map((agent) => agent.name);
    return options.agents?.filter((name) => team.includes(name)) ?? team;
  };
  const present = () =>
    engine.store.heartbeat(
      {
        worker_id: engine.workerId,
        team: engine.team.team,
        agents: agents(),
        places: options.places,
        declined: Object.fromEntries([...declined].map(([id, { agents: names }]) => [id, names])),
        started_at: startedAt,
      },
      engine.settings.oxbowLeaseMs,
    );
  const reload = async () => {
    const now = await current();
    if (now === engine) return false;
    engine = now;
    declined = new Map();
    options.tell({ event: "team_reloaded", agents: agents() });
    return true;
  };

  /** What it declines is looked up once a task. True when that is news. */
  function decline(tasks: readonly Task[]): boolean {
    const before = declined;
    declined = new Map();
    for (const task of tasks) {
      const found = before.get(task.task_id) ?? unable(engine, task, agents());
      declined.set(task.task_id, found);
      if (before.has(task.task_id) || found.agents.length === 0) continue;
      options.tell({ event: "declined", task_id: task.task_id, ...found });
    }
    return [...declined.keys()].some((id) => !before.has(id));
  }

  let known = false;
  return {
    present,
    async refresh() {
      const reloaded = await reload();
      const live = await engine.store.liveTasks();
      const ours = live.filter((each) => each.shared && each.task.team === engine.team.team);
      orphans = ours.filter((each) => each.driver === null || engine.workerIsDead(each.driver));
      const open = ours.filter((each) => !each.cancelled).map((each) => each.task);
      const news = decline(open);
      groups = grouped(open, agents(), declined);
      if (news || reloaded || !known) await present();
      known = true;
    },
    async claim() {
      const { store, workerId, settings } = engine;
      for (const group of groups) {
        const lease = await store.claim({
          workerId,
          leaseMs: settings.oxbowLeaseMs,
          onlyReady: true,
          ...group,
        });
        if (lease) return { lease, engine };
      }
      return null;
    },
    orphans: () => orphans,
    engine: () => engine,
    about: () => ({ team: engine.team.team, agents: agents() }),
  };
}

/** The agents whose model or program cannot be started here: no key, a script that is not there, no command. */
function unable(engine: Engine, task: Task, agents: readonly string[]): Declined {
  const options = runOptions(task);
  const reasons = new Map<string, string>();
  for (const name of agents) {
    const agent = agentNamed(engine, name);
    try {
      checkStartable(engine, options, agent);
    } catch (error) {
      reasons.set(name, toErrorValue(error).message);
    }
  }
  return { agents: [...reasons.keys()], message: [...new Set(reasons.values())].join(" ") };
}

function grouped(
  tasks: readonly Task[],
  agents: readonly string[],
  declined: ReadonlyMap<string, Declined>,
): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const task of tasks) {
    const without = declined.get(task.task_id)?.agents ?? [];
    const able = agents.filter((name) => !without.includes(name));
    if (able.length === 0) continue;
    const key = able.join("\n");
    const group = groups.get(key) ?? { agents: able, tasks: [], limits: {} };
    groups.set(key, group);
    group.tasks.push(task.task_id);
    const limit = runOptions(task).maxParallel;
    if (limit !== null) group.limits[task.task_id] = limit;
  }
  return [...groups.values()];
}
