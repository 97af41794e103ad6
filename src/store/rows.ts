/** Rows to words and back: the one place that trusts what the tables hold. */
import type { Insertable, Selectable } from "kysely";
import { type ErrorValue, OxbowError } from "../core/errors.ts";
import type { BudgetAsk } from "../core/budget-saved.ts";
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type {
  Gate,
  Json,
  Message,
  Outcome,
  OutcomeKind,
  Subtask,
  SubtaskState,
  Task,
  TaskState,
} from "../core/model.ts";
import type { TopicEntry, WorkerPresence } from "./contract.ts";
import type {
  EventRow,
  MessageRow,
  OutcomeRow,
  SubtaskRow,
  TaskRow,
  TopicEntryRow,
  WorkerRow,
} from "./schema.ts";

/** JSON as the tables keep it. Throws payload_invalid for what JSON cannot say. */
export function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new OxbowError("payload_invalid", `JSON cannot say it: ${String(cause)}`, { cause });
  }
  if (text === undefined) throw new OxbowError("payload_invalid", `JSON has no form for ${typeof value}.`);
  return text;
}

function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function taskRow(task: Task): TaskRow {
  return { ...task, options: toJson(task.options) };
}

export function toTask(row: TaskRow): Task {
  return { ...row, state: row.state as TaskState, options: toOptions(row.options) };
}

export function toOptions(json: string): Task["options"] {
  return fromJson(json);
}

export function subtaskRow({ depends_on: _, ...subtask }: Subtask): SubtaskRow {
  return {
    ...subtask,
    gate: subtask.gate && toJson(subtask.gate),
    budget: subtask.budget === undefined ? null : toJson(subtask.budget),
    root: subtask.root ? 1 : 0,
    responsibilities: toJson(subtask.responsibilities),
    allowed_paths: toJson(subtask.allowed_paths),
  };
}

export function toSubtask({ budget, ...row }: SubtaskRow, dependsOn: readonly string[]): Subtask {
  return {
    ...row,
    ...(budget === null ? {} : { budget: fromJson<BudgetAsk>(budget) }),
    root: row.root === 1,
    responsibilities: fromJson(row.responsibilities),
    allowed_paths: fromJson(row.allowed_paths),
    depends_on: dependsOn,
    state: row.state as SubtaskState,
    gate: toGate(row.gate),
  };
}

export function toGate(json: string | null): Gate | null {
  return json === null ? null : fromJson(json);
}

export function messageRow(message: Message): Insertable<MessageRow> {
  return {
    ...message,
    recipients: toJson(message.recipients),
    metadata: toJson(message.metadata),
    acked_at: null,
  };
}

export function toMessage({ seq: _seq, acked_at: _acked, ...row }: Selectable<MessageRow>): Message {
  return { ...row, recipients: fromJson(row.recipients), metadata: fromJson(row.metadata) };
}

export function outcomeRow({ commit, ...outcome }: Outcome, at: number): OutcomeRow {
  return {
    ...outcome,
    commit_id: commit,
    usage: toJson(outcome.usage),
    error: outcome.error === null ? null : toJson(outcome.error),
    created_at: at,
  };
}

export function toOutcome({ commit_id, created_at: _, ...row }: OutcomeRow): Outcome {
  return {
    ...row,
    outcome: row.outcome as OutcomeKind,
    commit: commit_id,
    usage: fromJson(row.usage),
    error: row.error === null ? null : fromJson(row.error),
  };
}

export function toFailure(text: string | null): ErrorValue | null {
  return text === null ? null : fromJson(text);
}

export function toEvent(row: Selectable<EventRow>): OxbowEvent {
  const body = fromJson<EventBody>(row.body);
  return { ...body, id: String(row.seq), ts: new Date(row.at).toISOString() };
}

export function toWorker({ expires_at: _, ...row }: WorkerRow): WorkerPresence {
  return { ...row, agents: fromJson(row.agents), declined: fromJson(row.declined) };
}

/** Padded, so that ids of one store also sort as text. */
export function messageId(seq: number): string {
  return String(seq).padStart(16, "0");
}

/** Null is before the first entry. Throws topic_rejected for an id that no topic gave out. */
export function fromMessageId(topic: string, id: string | null): number {
  if (id === null) return 0;
  if (!/^\d{1,16}$/.test(id) || Number(id) > Number.MAX_SAFE_INTEGER) {
    throw new OxbowError("topic_rejected", `"${id.slice(0, 80)}" is not a message id of topic ${topic}.`, {
      hint: "Use a message_id that a send or a wait returned, or leave it out to start at the first entry.",
      details: { topic },
    });
  }
  return Number(id);
}

export function toEntry(row: Selectable<TopicEntryRow>): TopicEntry {
  return {
    topic: row.topic,
    message_id: messageId(row.seq),
    event_id: row.event_id,
    payload: fromJson<Json>(row.payload),
    ts: row.ts,
  };
}
