/** What each agent of the team is doing (SPEC D3), from the rows of its tasks. */
import type { AgentRecord } from "../store/supervision.ts";
import type { Engine } from "./engine.ts";
import type { AgentState } from "./intervention-results.ts";
import { OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";

/** Of one task, or of all that are live; where none is, of the newest. */
export async function agentStates(engine: Engine, wanted?: string): Promise<readonly AgentState[]> {
  const { store, team } = engine;
  const taskIds = await tasksMeant(engine, wanted);
  const records = await store.agentRecords(taskIds);
  const stopped = new Set<string>();
  for (const taskId of taskIds)
    for (const { agent, error } of await store.outcomes(taskId))
      if (error?.code === STOP.critical.code) stopped.add(agent);
  const { registry } = engine;
  return [...registry.list(), ...registry.retired()].map(({ name, group: groupName }): AgentState => {
    const own = records.filter((record) => record.agent === name);
    const group = team.groups.find((each) => each.name === groupName);
    const sum = (count: (record: AgentRecord) => number) => own.reduce((all, each) => all + count(each), 0);
    const crashed = own.map((each) => each.last_crash_at ?? 0).reduce((a, b) => Math.max(a, b), 0);
    return {
      agent: name,
      state: registry.isRetired(name) ? "terminated" : stateOf(own, stopped.has(name)),
      group: group?.name ?? null,
      critical: group?.critical ?? false,
      working: sum((each) => each.working),
      open: sum((each) => each.open),
      crashes: sum((each) => each.crashes),
      last_crash: crashed === 0 ? null : new Date(crashed).toISOString(),
      reason: registry.isRetired(name)
        ? `${name} was shut down.`
        : (own.find((each) => each.disabled !== null)?.disabled ?? null),
    };
  });
}

function stateOf(records: readonly AgentRecord[], stopped: boolean): AgentState["state"] {
  if (records.some(({ disabled }) => disabled !== null)) return "failed";
  if (records.some(({ working }) => working > 0)) return "processing";
  if (records.some(({ waiting }) => waiting > 0)) return "restarting";
  return stopped ? "terminated" : "idle";
}

async function tasksMeant({ store, team }: Engine, wanted: string | undefined): Promise<readonly string[]> {
  if (wanted === undefined) {
    const live = (await store.liveTasks()).filter(({ task }) => task.team === team.team);
    if (live.length > 0) return live.map(({ task }) => task.task_id);
    return (await store.tasks({ limit: 1 })).map(({ task_id }) => task_id);
  }
  const byId = await store.task(wanted);
  const found = byId ? [byId] : await store.tasksByTicket(wanted);
  if (found.length === 0) throw new OxbowError("task_unknown", `No task or ticket here is called ${wanted}.`);
  return found.map(({ task_id }) => task_id);
}
