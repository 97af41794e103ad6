/** The app's methods that its network doors are built on. */
import type { Log } from "./host/log.ts";
import type { Task } from "./core/model.ts";
import type { AgentCard, AgentFilter } from "./agent-cards.ts";
import type { Rooms } from "./rooms.ts";
import type { TaskFilter } from "./store/reads.ts";
import type { TokenCalls } from "./token-calls.ts";
import type { Engine } from "./team/engine.ts";

export type { AgentCard, AgentFilter, AgentHealth } from "./agent-cards.ts";
export type { Log } from "./host/log.ts";
export type { NewToken, Principal, Scope, TokenRecord } from "./token-calls.ts";
export type { TaskFilter } from "./store/reads.ts";

export interface Untaken {
  readonly subtask_id: string;
  readonly agent: string;
}

export interface ServiceCalls extends TokenCalls {
  /** Tasks, newest first; see `TaskFilter`. */
  taskPage(filter: TaskFilter): Promise<readonly Task[]>;
  /** The agents of the team that fit, with what they do now. */
  agentCards(filter?: AgentFilter): Promise<readonly AgentCard[]>;
  /**
   * Of a task whose parts nobody takes: blocks those that could start, with an alert, and gives them. Empty while anything
   * of it goes on, or waits for a person.
   */
  blockUntaken(taskId: string): Promise<readonly Untaken[]>;
  /** Whether every critical agent is alive. */
  isHealthy(): Promise<boolean>;
  /** Where the service writes what it did. Throws what the team file and the settings are refused for. */
  log(): Promise<Log>;
  /** A text without its secrets. */
  redact(): Promise<(text: string) => string>;
}

export function serviceCalls(opened: () => Promise<Rooms>, engine: () => Promise<Engine>): ServiceCalls {
  const states = async () => (await import("./team/agent-states.ts")).agentStates(await engine());
  const tokens = async () => (await import("./token-calls.ts")).tokenDesk((await opened()).store.tokens);
  return {
    createToken: async (wanted) => (await tokens()).createToken(wanted),
    tokens: async () => (await tokens()).tokens(),
    revokeToken: async (idOrName) => (await tokens()).revokeToken(idOrName),
    authenticate: async (token) => (await tokens()).authenticate(token),
    taskPage: async (filter) => (await opened()).store.tasks(filter),
    async agentCards(filter) {
      const { agentCards } = await import("./agent-cards.ts");
      const { registry } = await engine();
      return agentCards([...registry.list(), ...registry.retired()], await states(), filter);
    },
    async blockUntaken(taskId) {
      const { blockUntaken } = await import("./team/blocked.ts");
      const blocked = await blockUntaken(await engine(), taskId);
      return blocked.map(({ subtask_id, agent }) => ({ subtask_id, agent }));
    },
    async isHealthy() {
      const { isAlive } = await import("./agent-cards.ts");
      const { registry } = await engine();
      // Whom a person has shut down is not missed.
      return (await states()).every(
        (state) => !state.critical || isAlive(state) || registry.isRetired(state.agent),
      );
    },
    log: async () => (await engine()).log,
    redact: async () => (await opened()).secrets.redact,
  };
}
