/** What a person looks at: tasks, owners, changes, the report, conflicts. */
import { z } from "zod";
import type { TaskStatus } from "./app.ts";
import { conflict, errorValue, mergeReason } from "./core/event-values.ts";
import { cut, personCall } from "./person-call.ts";
import { taskOrTicket } from "./person-words.ts";

const SUBTASKS = 200;
const SUMMARY = 600;
const FILES = 300;
const DIFF = 60_000;
const CONFLICTS = 50;
const HUNKS = 8_000;

const commitOf = z.object({ branch: z.string(), commit: z.string() });

const shownSubtask = z.object({
  subtask_id: z.string(),
  conversation_id: z.string(),
  agent: z.string(),
  state: z.string(),
  brief: z.string(),
  depends_on: z.array(z.string()).readonly(),
  done_topic: z.string(),
  branch: z.string().nullable(),
  commit: z.string().nullable(),
  summary: z.string().nullable(),
  error: errorValue.nullable(),
});

export const shownTask = z.object({
  task_id: z.string(),
  ticket: z.string(),
  title: z.string(),
  state: z.string(),
  created_at: z.string(),
  base: z.object({ ref: z.string(), commit: z.string() }),
  integration: commitOf.nullable(),
  workers: z.array(z.string()).readonly().describe("Processes that work on it now."),
  carried: z.boolean().describe("A process brings it to its end."),
  subtasks: z.array(shownSubtask).readonly(),
  subtasks_total: z.int(),
  merges: z
    .array(z.object({ branch: z.string(), state: z.string(), reason: mergeReason.nullable() }))
    .readonly(),
  overlaps: z
    .array(z.object({ agents: z.array(z.string()).readonly(), paths: z.array(z.string()).readonly() }))
    .readonly()
    .describe("Parts that change the same files."),
});

function showTask(status: TaskStatus, most: number): z.infer<typeof shownTask> {
  const { task, subtasks, merges, overlaps } = status;
  return {
    task_id: task.task_id,
    ticket: task.ticket,
    title: cut(task.title, SUMMARY).text,
    state: task.state,
    created_at: new Date(task.created_at).toISOString(),
    base: { ref: task.base_ref, commit: task.base_commit },
    integration: status.integration,
    workers: status.workers,
    carried: status.driver !== null,
    subtasks_total: subtasks.length,
    subtasks: subtasks.slice(0, most).map((each) => ({
      subtask_id: each.subtask_id,
      conversation_id: each.conversation_id,
      agent: each.agent,
      state: each.state,
      brief: cut(each.brief, SUMMARY).text,
      depends_on: each.depends_on,
      done_topic: each.done_topic,
      branch: each.branch,
      commit: each.outcome?.commit ?? each.tip,
      summary: each.outcome === null ? null : cut(each.outcome.summary, SUMMARY).text,
      error: each.outcome?.error ?? null,
    })),
    merges: merges.slice(0, most).map(({ branch, state, reason }) => ({ branch, state, reason })),
    overlaps: overlaps.map(({ agents, paths }) => ({ agents, paths: paths.slice(0, FILES) })),
  };
}

const status = personCall({
  name: "status",
  description:
    "What the tasks of this repository are doing: of one task or ticket with all its parts, or the newest tasks.",
  parameters: z.strictObject({ task: taskOrTicket.optional() }),
  result: z.object({ tasks: z.array(shownTask).readonly() }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task }) {
    const found = await app.status(task);
    return { tasks: found.map((each) => showTask(each, task === undefined ? SUBTASKS / 10 : SUBTASKS)) };
  },
});

const owner = personCall({
  name: "owner",
  description: "Which agent of the team owns each path, and the person its team escalates to.",
  parameters: z.strictObject({
    paths: z
      .array(z.string().max(4096))
      .min(1)
      .max(500)
      .describe("Paths from the top of the repository, with forward slashes."),
  }),
  result: z.object({
    owners: z
      .array(
        z.object({
          path: z.string(),
          owner: z
            .object({
              agent: z.string(),
              team: z.string(),
              pattern: z.string(),
              window_person: z.string().nullable(),
            })
            .nullable(),
        }),
      )
      .readonly(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { paths }) {
    const registry = await app.registry();
    return {
      owners: paths.map((path) => {
        const found = registry.findOwner(path);
        return { path, owner: found && { ...found, window_person: registry.windowPerson(found.team) } };
      }),
    };
  },
});

const diff = personCall({
  name: "diff",
  description:
    "What a task or ticket changes against where it began: of all that is merged, or of one agent.",
  parameters: z.strictObject({
    task: taskOrTicket,
    agent: z.string().max(200).optional().describe("The branches of this agent in place of the merged work."),
  }),
  result: z.object({
    ticket: z.string(),
    diffs: z
      .array(
        z.object({
          branch: z.string(),
          agent: z.string().nullable(),
          base: z.string(),
          commit: z.string(),
          files: z.array(z.object({ path: z.string(), status: z.string(), binary: z.boolean() })).readonly(),
          files_total: z.int(),
          additions: z.int(),
          deletions: z.int(),
          diff: z.string(),
          truncated: z.boolean(),
        }),
      )
      .readonly(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task, agent }) {
    const { ticket, diffs } = await app.diff(task, { agent });
    const share = Math.floor(DIFF / Math.max(diffs.length, 1));
    return {
      ticket,
      diffs: diffs.map((each) => {
        const { text, truncated } = cut(each.diff, share);
        const { branch, base, commit, additions, deletions } = each;
        const files = each.files
          .slice(0, FILES)
          .map(({ path, status: state, binary }) => ({ path, status: state, binary }));
        const facts = { branch, agent: each.agent, base, commit, additions, deletions };
        return {
          ...facts,
          files,
          files_total: each.files.length,
          diff: text,
          truncated: truncated || each.truncated,
        };
      }),
    };
  },
});

const report = personCall({
  name: "report",
  description:
    "The whole story of a task or ticket in Markdown: parts, commits, merges, checks, cost, what is open.",
  parameters: z.strictObject({ task: taskOrTicket }),
  result: z.object({
    ticket: z.string(),
    title: z.string(),
    state: z.string(),
    live: z.boolean().describe("Work is still going on."),
    integration: commitOf.nullable(),
    report: z.string().describe("Markdown."),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task }) {
    const [history, { reportMarkdown }] = await Promise.all([
      app.report(task),
      import("./report-markdown.ts"),
    ]);
    const { ticket, title, state, live, integration } = history;
    return {
      ticket,
      title: cut(title, SUMMARY).text,
      state,
      live,
      integration,
      report: reportMarkdown(history),
    };
  },
});

const conflictCase = z.object({
  ticket: z.string(),
  task_id: z.string(),
  subtask_id: z.string(),
  agent: z.string(),
  branch: z.string(),
  target: z.string(),
  person: z.string().nullable(),
  reason: mergeReason.nullable(),
  paths: z.array(z.object({ path: z.string(), kind: z.string(), settled: z.boolean() })).readonly(),
});

const conflictsList = personCall({
  name: "conflicts_list",
  description: "Branches that wait for a person to settle them with their target.",
  parameters: z.strictObject({ task: taskOrTicket.optional() }),
  result: z.object({ cases: z.array(conflictCase).readonly(), total: z.int() }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task }) {
    const found = await app.conflicts.list(task);
    return {
      total: found.length,
      cases: found.slice(0, CONFLICTS).map(({ conflicts, onto: _, commit: _commit, ...each }) => ({
        ...each,
        paths: conflicts
          .slice(0, FILES)
          .map(({ path, kind, settled }) => ({ path, kind, settled: settled !== null })),
      })),
    };
  },
});

const conflictsShow = personCall({
  name: "conflicts_show",
  description:
    "Both sides of each path at which a ticket's branches conflict. `ours` is the target, `theirs` the branch.",
  parameters: z.strictObject({
    task: taskOrTicket,
    branch: z.string().max(500).optional().describe("Where several branches wait."),
    path: z.string().max(4096).optional().describe("Only this path."),
  }),
  result: z.object({
    conflicts: z
      .array(
        z.object({
          branch: z.string(),
          target: z.string(),
          agent: z.string(),
          conflict,
          settled: z.boolean(),
          hunks: z.string().describe("The places where text meets, as JSON."),
          truncated: z.boolean(),
        }),
      )
      .readonly(),
    total: z.int(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task, branch, path }) {
    const found = (await app.conflicts.list(task, { branch, path })).flatMap((each) =>
      each.conflicts.map(({ hunks, settled, ...at }) => {
        const { text, truncated } = cut(JSON.stringify(hunks), HUNKS);
        const where = { branch: each.branch, target: each.target, agent: each.agent };
        return { ...where, conflict: at, settled: settled !== null, hunks: text, truncated };
      }),
    );
    return { conflicts: found.slice(0, CONFLICTS), total: found.length };
  },
});

export const READ_CALLS = [status, owner, diff, report, conflictsList, conflictsShow] as const;
