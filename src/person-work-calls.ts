/** What a person starts and steps into: tasks, splits, plans, cancelling, trying again, routing by hand. */
import { z } from "zod";
import type { App } from "./app.ts";
import type { OxbowEvent } from "./core/events.ts";
import type { SplitChild, SplitRequest } from "./core/tool.ts";
import { json } from "./core/event-values.ts";
import { planSchema } from "./core/plan.ts";
import { type CallContext, cut, personCall } from "./person-call.ts";
import { limits, named, patterns, taskOrTicket, ticket, title, waitMs } from "./person-words.ts";
import { NO_OPTIONS } from "./team/engine.ts";
import { firstOf } from "./person-wait.ts";

const MOST_WAIT_MS = 3_600_000;
const REPORT = 60_000;
const TITLE = 600;

const run = personCall({
  name: "run",
  description:
    "Give the team a task: it is planned, split, worked on in branches and merged into integration/<ticket>. Returns at once with the task's id unless wait_ms is given; look at it with status and report. Ending the wait does not end the task: use cancel.",
  parameters: z.strictObject({
    task: title,
    ticket,
    task_id: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe("A name of your own: the same call again gives the same task."),
    base: z
      .string()
      .max(500)
      .optional()
      .describe("Where the work starts. Default: the ticket's work so far, else HEAD."),
    by: z
      .literal("owner")
      .optional()
      .describe('"owner": split along the owners of the files, without a model.'),
    provider: z.string().max(100).optional().describe("openai, openai_chat, anthropic or claude-code."),
    model: z.string().max(200).optional(),
    plan: planSchema.optional().describe("What plan gave, perhaps changed: carried out as it is."),
    budget: limits.optional().describe("What the whole task may use, in place of the team's own limits."),
    max_parallel: z.int().min(1).max(10_000).optional().describe("Conversations at work at once."),
    wait_ms: waitMs(MOST_WAIT_MS, "How long to wait for the end"),
  }),
  result: z.object({
    task_id: z.string(),
    ticket: z.string(),
    title: z.string(),
    ended: z.boolean(),
    state: z.string(),
    integration: z.object({ branch: z.string(), commit: z.string() }).nullable(),
    report: z.string().nullable().describe("Markdown, once it has ended."),
  }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  async run(app, input, { signal, progress }) {
    const { by = null, provider = null, model = null, max_parallel: maxParallel = null, budget } = input;
    const { base, ticket: called } = input;
    // On the files of its base, as it was written by whoever calls.
    const plan =
      input.plan === undefined
        ? undefined
        : await app.readPlan(JSON.stringify(input.plan), "plan.json", { base, ticket: called });
    const { task, ended } = await app.start(
      {
        title: input.task,
        taskId: input.task_id,
        ticket: called,
        base,
        plan,
        options: { ...NO_OPTIONS, by, provider, model, maxParallel, ...given("budget", budget) },
      },
      tell(progress),
    );
    const about = { task_id: task.task_id, ticket: task.ticket, title: cut(task.title, TITLE).text };
    progress(`Task ${task.task_id} is durable.`);
    const result = await firstOf(ended, input.wait_ms ?? 0, signal);
    if (!result) return { ...about, ended: false, state: task.state, integration: null, report: null };
    const { reportMarkdown } = await import("./report-markdown.ts");
    const text = reportMarkdown(await app.report(task.task_id));
    const { state, integration } = result;
    return { ...about, ended: true, state, integration, report: cut(text, REPORT).text };
  },
});

/** A line for each event that a person would want to hear of meanwhile. */
function tell(progress: (message: string) => void): (event: OxbowEvent) => void {
  return (event) => {
    switch (event.event) {
      case "child_started":
        return progress(`${event.agent} works on ${event.branch ?? "it"}`);
      case "child_finished":
        return progress(`${event.source ?? "A part"}: ${event.outcome}`);
      case "merged":
        return progress(`${event.branch} is merged into ${event.into}`);
      case "approval_requested":
        return progress(`${event.agent} asks for an approval: ${event.approval_id}`);
      case "merge_conflict":
        return progress(`${event.branch} conflicts`);
      case "alert":
        return progress(event.message);
      default:
    }
  };
}

const child = z.strictObject({
  task: title,
  agent: z.string().max(200).optional().describe("The agent that does it."),
  allowed_paths: patterns.optional().describe("Patterns of the files it may change."),
  depends_on: z
    .array(z.int().min(0))
    .max(1000)
    .optional()
    .describe("Positions (from 0) of children that must finish first."),
});

const split = personCall({
  name: "split",
  description:
    "Split a task into children that work at the same time, each on its own branch. Returns their conversations and the topics on which each sends its done signal; with wait, what they came to.",
  parameters: z.strictObject({
    task: title,
    num_children: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe("How many, when children is not given. Default 2."),
    children: z.array(child).max(10_000).optional().describe("The parts, one child each, when they differ."),
    by: z.literal("owner").optional().describe('"owner": one child for each owner of the paths.'),
    responsibilities: z.array(z.string().max(200)).max(200).optional(),
    allowed_paths: patterns.optional().describe("Patterns of the files that the children may change."),
    target_agent: z.string().max(200).optional().describe("Does every part without an agent of its own."),
    ticket,
    wait: z.boolean().optional().describe("Wait for the children's results. Default false."),
    timeout_ms: z
      .int()
      .min(0)
      .max(MOST_WAIT_MS)
      .optional()
      .describe("How long to wait with wait: true, milliseconds. Default 30000. Children go on after it."),
  }),
  result: z.object({
    ok: z.boolean(),
    task_id: z.string(),
    ticket: z.string(),
    children: z.array(z.string()).readonly(),
    topics: z.array(z.string()).readonly(),
    wait: z
      .object({
        ok: z.boolean(),
        results: z.array(json).readonly(),
        running: z.array(z.string()).readonly().describe("Topics of children still at work."),
      })
      .optional(),
  }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  run: (app, input, context) =>
    splitHere(
      app,
      {
        task: input.task,
        ...given("numChildren", input.num_children),
        ...given("responsibilities", input.responsibilities),
        ...given("allowedPaths", input.allowed_paths),
        ...given("targetAgent", input.target_agent),
        ...given("by", input.by),
        ...given("children", input.children?.map(toChild)),
        ...given("ticket", input.ticket),
        ...given("wait", input.wait),
        ...given("timeoutMs", input.timeout_ms),
      },
      context,
    ),
});

/** A split that this process carries, with the live workers. */
export async function splitHere(app: App, request: SplitRequest, { signal, progress }: CallContext) {
  const { ticket: called, wait, timeoutMs = 30_000, ...parts } = request;
  const { task } = await app.start(
    { title: request.task, ticket: called, options: NO_OPTIONS, split: parts },
    tell(progress),
  );
  const made = (await app.status(task.task_id))[0]?.subtasks ?? [];
  const topics = made.map((each) => each.done_topic);
  const children = made.map((each) => each.conversation_id);
  const about = { task_id: task.task_id, ticket: task.ticket, children, topics };
  if (wait !== true) return { ok: true, ...about };
  const fanIn = await (await app.signals()).waitAll(topics, {}, timeoutMs, signal);
  const results = topics.flatMap((topic) => (fanIn.messages[topic] ? [fanIn.messages[topic].message] : []));
  return { ok: fanIn.ok, ...about, wait: { ok: fanIn.ok, results, running: fanIn.missing } };
}

function toChild({ task, agent, allowed_paths, depends_on }: z.infer<typeof child>): SplitChild {
  return {
    task,
    ...given("agent", agent),
    ...given("allowed_paths", allowed_paths),
    ...given("depends_on", depends_on),
  };
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  const made: { [key in K]?: V } = {};
  if (value !== undefined) made[key] = value;
  return made;
}

const cancel = personCall({
  name: "cancel",
  description:
    "Cancel a task (by id or ticket), or a subtask with all that was split from it, whichever process works on it. What was committed stays.",
  parameters: z.strictObject({
    id: named(500).describe("A task's id, a ticket, or a subtask's id."),
    wait_ms: z
      .int()
      .min(0)
      .max(60_000)
      .optional()
      .describe("How long to wait until it has ended. Default 10000."),
  }),
  result: z.object({
    task_id: z.string(),
    subtask_id: z.string().nullable(),
    parts: z.array(z.string()).readonly(),
    changed: z.boolean(),
    state: z.string(),
  }),
  scope: "submit",
  readOnly: false,
  destructive: true,
  run: (app, { id, wait_ms }) => app.cancel(id, wait_ms),
});

const parts = z.array(z.object({ subtask_id: z.string(), supersedes: z.string() })).readonly();

const retry = personCall({
  name: "retry",
  description: "Try a subtask again that failed, was cancelled or timed out, or all such parts of a task.",
  parameters: z.strictObject({
    id: named(500).describe("A task's id, a ticket, or a subtask's id."),
  }),
  result: z.object({ task_id: z.string(), parts, carried: z.boolean() }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  run: async (app, { id }) => carriedOn(app, await app.retry(id)),
});

const assign = personCall({
  name: "assign",
  description: "Give a subtask that has not begun, is blocked, or did not complete, to another agent.",
  parameters: z.strictObject({
    subtask: z.string().min(1).max(500).describe("The subtask's id."),
    agent: z.string().min(1).max(200),
  }),
  result: z.object({ task_id: z.string(), agent: z.string(), parts, carried: z.boolean() }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  run: async (app, { subtask, agent }) => carriedOn(app, await app.assign(subtask, agent)),
});

const resume = personCall({
  name: "resume",
  description:
    "Go on with a task that no process carries: its process ended, or a conflict of it was settled.",
  parameters: z.strictObject({ task: taskOrTicket }),
  result: z.object({
    carried: z.boolean().describe("False: it has ended, or another process carries it already."),
  }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  run: async (app, { task }) => ({ carried: await app.goOn(task) }),
});

/** What nobody carries goes on here. */
async function carriedOn<T extends { readonly task_id: string; readonly carried: boolean }>(
  app: App,
  made: T,
): Promise<T> {
  return made.carried ? made : { ...made, carried: await app.goOn(made.task_id) };
}

export const WORK_CALLS = [run, split, cancel, retry, assign, resume] as const;
