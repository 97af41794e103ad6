/** From what a person asked to a durable task with its first subtasks. Everything that can be refused is refused before. */
import { createHash } from "node:crypto";
import type { Json, Task } from "../core/model.ts";
import type { Plan } from "../core/plan.ts";
import type { PlannedChild, SplitPlan } from "../core/split.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { SplitRequest } from "../core/tool.ts";
import type { Engine, RunOptions } from "./engine.ts";
import type { EventBody } from "../core/events.ts";
import type { Driver, NewChild } from "../store/contract.ts";
import { checkAsk, readAsk } from "../core/budget-saved.ts";
import { branchName, integrationBranch } from "../core/branch-name.ts";
import { OxbowError } from "../core/errors.ts";
import { taskSpan } from "../host/telemetry.ts";
import { ownScope, planSplit } from "../core/split.ts";
import { priceNotices } from "./budget.ts";
import { announcements, type Birth, makeChildren } from "./children.ts";
import { openings, withoutSandbox } from "./confinement.ts";
import { agentAtWork, agentNamed, checkStartable, refuseShutDown, runtimeOf } from "./engine.ts";
import { drawnPlan, plannedEvent } from "./plan-task.ts";
import { startOf } from "./task-base.ts";
import { findLinks } from "./workspaces.ts";

export interface TaskRequest {
  readonly title: string;
  readonly taskId?: string | undefined;
  readonly ticket?: string | undefined;
  readonly base?: string | undefined;
  readonly options: RunOptions;
  /** The parts as a caller wants them, in place of a lead that splits. */
  readonly split?: SplitRequest | undefined;
  /** The parts as a plan has them. */
  readonly plan?: Plan | undefined;
  /** Others carry it out: what they need is not looked for here. Default: with a `split`. */
  readonly elsewhere?: boolean | undefined;
}

export interface TaskPlan {
  readonly task: Task;
  /** When planning began, Unix milliseconds. */
  readonly startedAt: number;
  /** A lead's own part, or one part per owner. */
  readonly root: boolean;
  readonly parts: readonly PlannedChild[];
  /** Files of the base that no agent owns. */
  readonly leftovers: readonly string[];
  readonly notices: readonly { code: string; message: string }[];
  /** What it was planned by, looked up in the files of its base. */
  readonly plan: Plan | null;
}

/** Plans and checks; makes nothing. Throws whatever a person must correct first. */
export async function planTask(engine: Engine, request: TaskRequest): Promise<TaskPlan> {
  const startedAt = engine.now();
  const { options } = request;
  if (request.split === undefined && request.title.trim() === "")
    throw new OxbowError("usage", "The task is empty; say what is to be done.");
  refuseSecrets(engine, request);
  if (options.budget) checkAsk(options.budget);
  const taskId = request.taskId ?? engine.newId("t").replace("_", "-");
  const ticket = request.ticket ?? taskId;
  const integration = integrationBranch(ticket);
  const { baseRef, commit } = await startOf(engine, request.base, ticket);
  await refuseBlockedNames(engine, ticket, integration);
  const inUse = await engine.repo.checkedOutAt(`refs/heads/${integration}`);
  if (inUse)
    throw new OxbowError(
      "branch_checked_out",
      `${integration} is checked out in ${inUse}, so it cannot be moved.`,
    );
  const title = engine.redact(request.title);
  const split = request.split ?? (options.by === "owner" ? { task: title, by: options.by } : null);
  const drawn = request.plan === undefined ? null : await drawnPlan(engine, request.plan, commit);
  const { children, leftovers } =
    drawn ??
    (split === null
      ? { children: [leadPart(engine, title)], leftovers: [] }
      : await splitParts(engine, split, commit));
  const isSplit = split !== null || drawn !== null;
  // A caller that only enqueues need not be able to run them: its workers do.
  const elsewhere = request.elsewhere ?? request.split !== undefined;
  if (!elsewhere) checkRunnable(engine, options, children, isSplit);
  const programs = agentsWithPrograms(engine, options, children, isSplit);
  const workspaces = programs.length > 0 || engine.team.verify.length > 0;
  await engine.repo.checkReady(commit, { files: workspaces && !elsewhere });
  if (workspaces && !elsewhere) findLinks(engine);
  const now = engine.now();
  const { title: asked, base = null, plan } = request;
  const body = { title: asked, ticket, base, options, split: request.split, plan };
  const task: Task = {
    task_id: taskId,
    ticket,
    title,
    state: "running",
    base_ref: baseRef,
    base_commit: commit,
    team: engine.team.team,
    options: asJson({ ...options, budget: { ...engine.team.budget, ...options.budget } }),
    body_hash: createHash("sha256").update(JSON.stringify(body)).digest("hex"),
    created_at: now,
    updated_at: now,
  };
  return {
    task,
    startedAt,
    root: !isSplit,
    parts: children,
    leftovers,
    plan: drawn?.plan ?? null,
    notices: [
      ...(title === request.title ? [] : [SECRET_IN_TASK]),
      ...(drawn?.notices ?? []),
      ...(await notices(engine, leftovers)),
      ...(await sandboxNotices(engine, programs, elsewhere)),
      ...(elsewhere ? [] : priceNotices(engine, task, involvedAgents(engine, children, split !== null))),
    ],
  };
}

const SECRET_IN_TASK = {
  code: "secret_redacted",
  message: "What looks like a secret in the task was taken out of it: the agents read [REDACTED] there.",
};

/** A command line must be kept as it is for a resume, and a ticket names branches. Throws command_invalid, usage. */
function refuseSecrets({ redact }: Engine, { options, ticket }: TaskRequest): void {
  const holdsSecret = (text: string) => redact(text) !== text;
  if (ticket !== undefined && holdsSecret(ticket))
    throw new OxbowError("usage", "The ticket holds what looks like a secret; it would name branches.");
  if (
    options.command !== null &&
    (options.command.some(holdsSecret) || holdsSecret(options.command.join(" ")))
  )
    throw new OxbowError(
      "command_invalid",
      "The command holds what looks like a secret; it would be kept with the task.",
      {
        hint: "Put it into a variable of the environment, and name that in the agent's `sandbox: { env: [...] }`.",
      },
    );
}

/** Makes it durable; `driver` carries it from its first moment. Throws ticket_in_use, task_conflict. */
export async function submitTask(engine: Engine, plan: TaskPlan, driver?: Driver): Promise<SubmittedTask> {
  const { telemetry } = engine;
  const { task_id } = plan.task;
  const parts = { "oxbow.parts": plan.parts.length };
  telemetry.past(task_id, "orchestrator.plan", parts, plan.startedAt);
  return taskSpan(telemetry, task_id, "orchestrator.dispatch", parts, () =>
    makeDurable(engine, plan, driver),
  );
}

export interface SubmittedTask {
  readonly task: Task;
  readonly created: boolean;
  readonly children: readonly NewChild[];
}

async function makeDurable(engine: Engine, plan: TaskPlan, driver?: Driver): Promise<SubmittedTask> {
  const { task } = plan;
  const budgeted = readAsk(task.options["budget"]) !== null;
  const birth: Birth = {
    taskId: task.task_id,
    parent: null,
    root: plan.root,
    base: null,
    siblings: [],
    budgeted,
  };
  const children = makeChildren(engine, plan.parts, birth);
  const submitted: EventBody = {
    event: "task_submitted",
    task_id: task.task_id,
    ticket: task.ticket,
    title: task.title,
    base: task.base_ref,
    base_commit: task.base_commit,
  };
  const told = plan.notices.map(
    (notice): EventBody => ({ event: "notice", task_id: task.task_id, ...notice }),
  );
  // Before anybody can take it.
  await engine.repo.remote?.offer([task.base_commit]);
  const planned = plan.plan === null ? [] : [plannedEvent(task.task_id, plan.plan, children)];
  const events = [submitted, ...planned, ...told, ...announcements(children, birth)];
  const result = await engine.store.submit(task, children, events, driver);
  await engine.store.relay();
  return { ...result, children };
}

/** A branch `feature`, `feature/<ticket>`, `integration` or one below `integration/<ticket>` leaves no room for ours. */
async function refuseBlockedNames(engine: Engine, ticket: string, integration: string): Promise<void> {
  const folder = branchName({ ticket, agentName: "x" }).slice(0, -2);
  const heads = await engine.repo.refs("refs/heads/");
  const blocking = ["feature", folder, "integration"].find((name) => heads.has(`refs/heads/${name}`));
  const below = [...heads.keys()].find((ref) => ref.startsWith(`refs/heads/${integration}/`));
  const inTheWay = blocking ?? below?.slice("refs/heads/".length);
  if (inTheWay !== undefined)
    throw new OxbowError(
      "branch_conflict",
      `There is a branch ${inTheWay}, so Git has no room for ${folder}/… and ${integration}.`,
      {
        hint: `Rename it first: git branch -m ${inTheWay} ${inTheWay}-old`,
        details: { branch: inTheWay },
      },
    );
}

async function splitParts(engine: Engine, split: SplitRequest, commit: string): Promise<SplitPlan> {
  refuseShutDown(engine, split);
  const files = split.by === "owner" ? await engine.repo.listFiles(commit) : [];
  return planSplit(split, {
    agents: engine.registry.list(),
    limits: engine.team.limits,
    depth: 0,
    existingChildren: 0,
    targetAgent: targetAgent(engine, split.targetAgent),
    files: files.map((file) => file.path),
    ownership: engine.registry.ownership(),
    parentScope: null,
  });
}

/** The agent named, else ORCHESTRATE_TARGET_AGENT, else AGENT_NAME, else the team's first agent. */
export function targetAgent(engine: Engine, named: string | undefined): string {
  const { orchestrateTargetAgent, agentName } = engine.settings;
  return named ?? orchestrateTargetAgent ?? agentName ?? engine.registry.list()[0]?.name ?? "";
}

function leadPart(engine: Engine, title: string): PlannedChild {
  const name = engine.team.lead ?? engine.registry.list()[0]?.name ?? "";
  const lead = agentAtWork(engine, name);
  const { name: agent, responsibilities } = lead;
  return {
    agent,
    brief: title,
    responsibilities,
    allowedPaths: ownScope(lead),
    dependsOn: [],
    approval: null,
  };
}

/** Who may come to run: with a lead, whomever it asks. */
function involvedAgents(engine: Engine, parts: readonly PlannedChild[], byOwner: boolean) {
  return byOwner ? parts.map((part) => agentNamed(engine, part.agent)) : engine.registry.list();
}

/** A model that cannot be called, or a command that is missing, is known before anything is made. */
function checkRunnable(
  engine: Engine,
  options: RunOptions,
  parts: readonly PlannedChild[],
  byOwner: boolean,
): void {
  for (const agent of involvedAgents(engine, parts, byOwner)) {
    checkStartable(engine, options, agent);
  }
}

/** Those that are programs, or whose models may run some. */
function agentsWithPrograms(
  engine: Engine,
  options: RunOptions,
  parts: readonly PlannedChild[],
  byOwner: boolean,
): readonly AgentSpec[] {
  const all = involvedAgents(engine, parts, byOwner);
  if (engine.settings.enableTerminalTool) return all;
  return all.filter((agent) => runtimeOf(options, agent) === "command");
}

const VERIFY_OPEN = "The commands of `verify` may use the network (`verify_network:` in the team file).";

/** What programs may do here beyond their workspace. Throws sandbox_missing where one is required and there is none. */
async function sandboxNotices({ sandbox, team }: Engine, agents: readonly AgentSpec[], elsewhere: boolean) {
  if (agents.length === 0 && team.verify.length === 0) return [];
  const opened = [
    ...openings(agents),
    ...(team.verify.length > 0 && team.verifyNetwork ? [VERIFY_OPEN] : []),
  ];
  const told = opened.map((message) => ({ code: "sandbox_opened", message }));
  // Of the machines of its workers a caller that only enqueues knows nothing.
  if (elsewhere) return told;
  const state = await sandbox.state();
  if (state.kind === "none") told.push({ code: "sandbox_off", message: withoutSandbox(state.reason) });
  return told;
}

const REMOTE_UNUSED =
  "`repo.url` is not used: the tasks are in a store of this machine alone (OXBOW_STORE_URL=postgres://… is shared), or the team file is that of a bare repository (name it with --team).";

async function notices(engine: Engine, leftovers: readonly string[]) {
  const told = engine.team.notices.map(({ line, message }) => ({
    code: "not_acted_on",
    message: `${engine.team.file}:${line}: ${message}`,
  }));
  if (engine.team.repo.url !== null && engine.repo.remote === null)
    told.push({ code: "remote_unused", message: REMOTE_UNUSED });
  if (await engine.repo.isDirty())
    told.push({
      code: "dirty_checkout",
      message: "Your checkout has uncommitted changes; the agents do not see them.",
    });
  if (leftovers.length > 0) {
    const some = leftovers.slice(0, 3).join(", ");
    const more = leftovers.length > 3 ? ", …" : "";
    told.push({
      code: "unowned_files",
      message: `${leftovers.length} file${leftovers.length === 1 ? " has" : "s have"} no owner and will not be touched (${some}${more}).`,
    });
  }
  return told;
}

function asJson({ command, budget, ...options }: RunOptions): { readonly [key: string]: Json } {
  const limits = readAsk(budget);
  return {
    ...options,
    command: command && [...command],
    ...(limits === null ? {} : { budget: { ...limits } }),
  };
}
