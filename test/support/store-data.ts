/** Tasks, children and outcomes for tests of the store. */
import type { NewChild } from "../../src/store/contract.ts";
import type { EventBody } from "../../src/core/events.ts";
import {
  doneTopic,
  NO_USAGE,
  type Outcome,
  type Subtask,
  subtaskId,
  type Task,
} from "../../src/core/model.ts";

export function aTask(taskId: string, over: Partial<Task> = {}): Task {
  return {
    task_id: taskId,
    ticket: taskId,
    title: `Task ${taskId}`,
    state: "running",
    base_ref: "main",
    base_commit: "0".repeat(40),
    team: "Payments",
    options: { model: "none", nested: { list: [1, null, "ä"] } },
    body_hash: `hash-${taskId}`,
    created_at: 1000,
    updated_at: 1000,
    ...over,
  };
}

export interface ChildOptions {
  readonly agent?: string;
  readonly dependsOn?: readonly number[];
  readonly over?: Partial<Subtask>;
}

/** Child `n` of a task; the n-th message of its agent. */
export function aChild(taskId: string, n: number, options: ChildOptions = {}): NewChild {
  const agent = options.agent ?? "Api";
  const conversation_id = `c-${taskId}-${n}`;
  return {
    subtask: {
      subtask_id: subtaskId(agent, taskId, n),
      task_id: taskId,
      conversation_id,
      parent_conversation_id: null,
      agent,
      root: false,
      brief: `Part ${n}`,
      responsibilities: ["build"],
      allowed_paths: ["src/**"],
      depends_on: (options.dependsOn ?? []).map((other) => subtaskId(agent, taskId, other)),
      done_topic: doneTopic(conversation_id),
      depth: 1,
      position: n,
      branch: null,
      state: "planned",
      created_at: 1000 + n,
      supersedes: null,
      gate: null,
      ...options.over,
    },
    conversation: { conversation_id, task_id: taskId, parent_id: null, agent, created_at: 1000 + n },
    message: {
      id: `m-${taskId}-${n}`,
      conversation_id,
      sender: "Lead",
      recipients: [agent],
      content: `Do part ${n} – ünï ✓`,
      timestamp: 1000 + n,
      type: "task",
      topology: "direct",
      metadata: { orchestrate: { done_topic: doneTopic(conversation_id) } },
    },
  };
}

export function someChildren(taskId: string, count: number): NewChild[] {
  return Array.from({ length: count }, (_, i) => aChild(taskId, i + 1));
}

export function anOutcome(subtask: Subtask, over: Partial<Outcome> = {}): Outcome {
  return {
    subtask_id: subtask.subtask_id,
    conversation_id: subtask.conversation_id,
    task_id: subtask.task_id,
    agent: subtask.agent,
    outcome: "completed",
    branch: "feature/1/Api",
    commit: "a".repeat(40),
    summary: "done",
    usage: { ...NO_USAGE, requests: 2 },
    cost: 0.25,
    error: null,
    attempt: 1,
    elapsed_ms: 12,
    ...over,
  };
}

export function notice(taskId: string, message: string): EventBody {
  return { event: "notice", task_id: taskId, code: "test", message };
}
