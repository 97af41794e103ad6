/** What a person decides: requests of agents, and bringing work into a branch of theirs. Signals, too. */
import { z } from "zod";
import type { App } from "./app.ts";
import { conflict, errorValue, json } from "./core/event-values.ts";
import { type CallContext, personCall } from "./person-call.ts";
import { taskOrTicket, waitMs } from "./person-words.ts";

const LISTED = 200;

const request = z.looseObject({
  approval_id: z.string(),
  task_id: z.string(),
  subtask_id: z.string(),
  agent: z.string(),
  state: z.string(),
  paths: z.array(z.string()).readonly(),
  reason: z.string(),
  waiting: z.boolean().describe("Its child is still at work: an answer is heard."),
});

const approvalsList = personCall({
  name: "approvals_list",
  description: "What waits for a person: requests of agents, and subtasks that nobody can work on.",
  parameters: z.strictObject({
    task: z.string().min(1).max(500).optional().describe("Only of this task, by its id."),
    all: z.boolean().optional().describe("Also requests that are decided."),
  }),
  result: z.object({
    approvals: z.array(request).readonly(),
    approvals_total: z.int(),
    alerts: z
      .array(
        z.object({
          task_id: z.string(),
          subtask_id: z.string(),
          agent: z.string(),
          code: z.string(),
          message: z.string(),
          until: z.string().describe("Then it ends as timed_out."),
        }),
      )
      .readonly(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task, all }) {
    const found = await app.approvals({
      ...(task === undefined ? {} : { taskId: task }),
      ...(all === undefined ? {} : { all }),
    });
    const alerts = await app.alerts(task);
    return {
      approvals: found.slice(-LISTED).map((each) => ({ ...each })),
      approvals_total: found.length,
      alerts: alerts.slice(0, LISTED).map(({ kind: _, since: _since, ...each }) => each),
    };
  },
});

const decision = {
  parameters: z.strictObject({
    id: z.string().min(1).max(200).describe("The approval_id."),
    reason: z.string().max(10_000).optional().describe("What the agent is to know about it."),
  }),
  result: request,
  scope: "approve",
  readOnly: false,
  destructive: false,
} as const;

const decide =
  (granted: boolean) =>
  async (app: App, input: { id: string; reason?: string | undefined }, { as }: CallContext) => ({
    ...(await app.decide(input.id, { granted, reason: input.reason ?? "", as })),
  });

const grant = personCall({
  name: "approvals_grant",
  description: "Say yes to a request of an agent. The first answer stands.",
  ...decision,
  run: decide(true),
});

const deny = personCall({
  name: "approvals_deny",
  description: "Say no to a request of an agent. The first answer stands.",
  ...decision,
  run: decide(false),
});

const merge = personCall({
  name: "merge",
  description:
    "Bring integration/<ticket> into a branch of yours. A conflict is a value and moves nothing. With pull_request a pull request is opened instead.",
  parameters: z.strictObject({
    task: taskOrTicket,
    into: z.string().max(500).optional().describe("A local branch. Default: the one the work began with."),
    squash: z.boolean().optional().describe("One commit in place of the agents' own."),
    partial: z.boolean().optional().describe("Also while some of the ticket's work is not done."),
    push: z
      .string()
      .max(200)
      .regex(/^[A-Za-z0-9][\w.-]*$/, "must be the name of a remote")
      .optional()
      .describe("Push the result to this remote of the repository."),
    pull_request: z.boolean().optional(),
  }),
  result: z.object({
    ok: z.boolean(),
    ticket: z.string(),
    into: z.string(),
    state: z.string().describe("landed, unchanged, conflict or proposed."),
    how: z.string().nullable(),
    before: z.string(),
    after: z.string(),
    conflicts: z.array(conflict).readonly(),
    left_out: z.array(z.object({ subtask_id: z.string(), agent: z.string(), reason: z.string() })).readonly(),
    push: z.looseObject({ state: z.string(), error: errorValue.nullable(), command: z.string() }).nullable(),
    pull_request: z
      .looseObject({ url: z.string().nullable(), error: errorValue.nullable(), command: z.string() })
      .nullable(),
  }),
  scope: "approve",
  readOnly: false,
  destructive: true,
  async run(app, { task, into, squash, partial, push, pull_request: pullRequest }, { signal }) {
    const merged = await app.merge(task, { into, squash, partial, push, pullRequest }, signal);
    const { source: _, checkout: _checkout, ...shown } = merged;
    return {
      ...shown,
      conflicts: shown.conflicts.slice(0, LISTED),
      left_out: shown.left_out.slice(0, LISTED),
      push: shown.push && { ...shown.push },
      pull_request: shown.pull_request && { ...shown.pull_request },
    };
  },
});

const topic = z.string().min(1).max(512);

const signalSend = personCall({
  name: "signal_send",
  description: "Append a small durable message to a topic. Whoever waits for it, now or later, gets it.",
  parameters: z.strictObject({ topic, payload: json.describe("Any JSON value.") }),
  result: z.object({ ok: z.literal(true), topic: z.string(), message_id: z.string() }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  run: (app, { topic: name, payload }) => app.signalSend(name, payload),
});

const signalWait = personCall({
  name: "signal_wait",
  description:
    "Wait for a message on a topic: the first, or the one after last_id. ok is false when the time is up.",
  parameters: z.strictObject({
    topic,
    last_id: z.string().max(100).optional().describe("The message_id after which to read."),
    timeout_ms: waitMs(600_000, "How long to wait"),
  }),
  result: z.object({
    ok: z.boolean(),
    topic: z.string(),
    message: json.optional(),
    message_id: z.string().optional(),
    event_id: z.string().optional(),
    timeout_ms: z.int().optional(),
    last_id: z.string().nullable().optional(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  run: async (app, { topic: name, last_id: lastId, timeout_ms: timeoutMs = 0 }, { signal }) => ({
    ...(await app.signalWait(name, { lastId, timeoutMs }, signal)),
  }),
});

export const ANSWER_CALLS = [approvalsList, grant, deny, merge, signalSend, signalWait] as const;
