/** The app's methods with which a person steps into work that is under way, whichever process does it. */
import type { Engine } from "./team/engine.ts";
import type { AgentState, Alert, Assigned, Cancelled, Reopened } from "./team/intervention-results.ts";

export interface Interventions {
  /**
   * Cancels a task (by id or ticket), or a subtask with all that was split from it, also while other processes work on it,
   * and waits at most `waitMs` (10,000) until it has ended. Throws task_unknown, subtask_unknown.
   */
  cancel(wanted: string, waitMs?: number): Promise<Cancelled>;
  /**
   * Makes the task live again with a new subtask in the place of this one, or of each part of the task that did not
   * complete. Throws task_unknown, subtask_unknown, subtask_active, nothing_to_retry, ticket_in_use, task_conflict.
   */
  retry(wanted: string): Promise<Reopened>;
  /** Gives a subtask that has not begun, is blocked, or did not complete, to another agent. Throws as `retry`, and agent_unknown. */
  assign(subtask: string, agent: string): Promise<Assigned>;
  /** Subtasks that nobody can work on and that wait for a person, of one task (by id) or all that are live. */
  alerts(taskId?: string): Promise<readonly Alert[]>;
  /** What each agent of the team is doing, in one task (by id or ticket) or in all that are live. Throws task_unknown. */
  agents(taskIdOrTicket?: string): Promise<readonly AgentState[]>;
}

const WAIT_MS = 10_000;

/** `anyway`: the engine also when a plugin of the team is broken; stopping what runs must not wait for its repair. */
export function interventions(
  engine: () => Promise<Engine>,
  anyway: () => Promise<Engine> = engine,
): Interventions {
  const team = () => import("./team/interventions.ts");
  return {
    cancel: async (wanted, waitMs = WAIT_MS) => (await team()).cancel(await anyway(), wanted, waitMs),
    retry: async (wanted) => (await team()).retry(await engine(), wanted),
    assign: async (subtask, agent) => (await team()).assign(await engine(), subtask, agent),
    alerts: async (taskId) => (await import("./team/blocked.ts")).openAlerts((await anyway()).store, taskId),
    agents: async (wanted) => (await import("./team/agent-states.ts")).agentStates(await anyway(), wanted),
  };
}
