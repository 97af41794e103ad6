/** `oxbow run`: live lines on a terminal, one event per line with --json, the report last. */
import type { App, PlannedRun, RunOptions, RunTask, WorkersMode } from "../../app.ts";
import type { Report } from "../../core/events.ts";
import { openApp } from "../../app.ts";
import { askWords, readAsk } from "../../core/budget-saved.ts";
import { OxbowError } from "../../core/errors.ts";
import { titleOf } from "../../core/plan-title.ts";
import { splitWords } from "../../core/words.ts";
import { absolutePath, readText } from "./files.ts";
import { interruption } from "./interruption.ts";
import { createDisplay } from "./display.ts";
import { reportText } from "./report-text.ts";

export interface RunFlags {
  repo: string;
  team?: string;
  ticket?: string;
  by?: "owner";
  provider?: string;
  model?: string;
  runtime?: "openai_agents" | "command";
  command?: string;
  maxParallel?: number;
  budgetUsd?: number;
  budgetTokens?: number;
  budgetWallMs?: number;
  base?: string;
  script?: string;
  workers?: WorkersMode;
  dryRun?: boolean;
  resume?: string;
  plan?: string;
  wait?: boolean;
  json?: boolean;
}

const EXIT: Readonly<Record<Report["state"], number>> = {
  completed: 0,
  partial: 1,
  failed: 1,
  conflict: 3,
  cancelled: 130,
  waiting: 5,
};

/** A request that nobody has answered is what a person sees to next, unless branches conflict or the run was stopped. */
function exitOf({ state, approvals }: Report): number {
  const open = approvals.some((approval) => approval.state === "open");
  return open && state !== "conflict" && state !== "cancelled" ? WAITING_ON_A_PERSON : EXIT[state];
}

const WAITING_ON_A_PERSON = 5;

export async function run(title: string | undefined, flags: RunFlags): Promise<number> {
  checkWhat(title, flags);
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const asked = flags.resume === undefined ? await wanted(app, title, flags) : null;
  if (flags.dryRun) {
    if (asked === null)
      throw new OxbowError("usage", "--dry-run shows the plan of a new task; --resume has none.");
    showPlan(await app.plan(asked), flags.json === true);
    return 0;
  }
  const display = createDisplay(flags.json === true);
  const submitted: { task_id: string | null } = { task_id: null };
  using stop = interruption((name) => display.stopping(name));
  const hooks = {
    workers: flags.workers,
    // Where nobody looks on, nobody is there to answer. It is undefined there, whatever its type says.
    wait: flags.wait ?? (flags.json !== true && Boolean(process.stdout.isTTY)),
    onEvent: display.event,
    onSubmitted: (task: { task_id: string; ticket: string; title: string }) => {
      submitted.task_id = task.task_id;
      display.submitted(task);
    },
  };
  const more = asked === null ? budgetOf(flags) : null;
  if (more !== null) await app.budget(flags.resume ?? "", more);
  try {
    const report =
      asked === null
        ? await app.resume(flags.resume ?? "", hooks, stop.signal)
        : await app.run(asked, hooks, stop.signal);
    display.close();
    if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stdout.write(reportText(report, { bare: (await app.facts()).bare }));
    return exitOf(report);
  } catch (error) {
    display.close();
    if (submitted.task_id !== null && !flags.json)
      process.stderr.write(`The task is kept: go on with \`oxbow run --resume ${submitted.task_id}\`.\n`);
    throw error;
  }
}

/** One of a task, a plan and a task to go on with. */
function checkWhat(title: string | undefined, { resume, plan, by }: RunFlags): void {
  const given = [title, resume, plan].filter((each) => each !== undefined).length;
  const hint = 'oxbow run "<task>", oxbow run --plan FILE, or oxbow run --resume TASK';
  if (given === 0) throw new OxbowError("usage", "Say what is to be done.", { hint });
  if (given > 1)
    throw new OxbowError(
      "usage",
      resume === undefined ? "--plan has its task in it." : "--resume takes no new task.",
      { hint },
    );
  if (plan !== undefined && by !== undefined)
    throw new OxbowError("usage", "--by splits a task; a plan has its parts already.", { hint });
}

async function wanted(app: App, title: string | undefined, flags: RunFlags): Promise<RunTask> {
  const { plan: file, base, ticket } = flags;
  if (file === undefined) return request(title ?? "", flags);
  const plan = await app.readPlan(await readText(file), file, { base, ticket });
  return { ...request(titleOf(plan.task), flags), plan };
}

/** Null: no flag of it is given. */
function budgetOf({ budgetUsd: usd, budgetTokens: tokens, budgetWallMs: wall_ms }: RunFlags) {
  return readAsk({ usd, tokens, wall_ms });
}

function request(title: string, flags: RunFlags): RunTask {
  const budget = budgetOf(flags);
  const options: RunOptions = {
    by: flags.by ?? null,
    provider: flags.provider ?? null,
    model: flags.model ?? null,
    runtime: flags.runtime ?? (flags.command === undefined ? null : "command"),
    command: flags.command === undefined ? null : words(flags.command),
    script: flags.script === undefined ? null : absolutePath(flags.script),
    maxParallel: flags.maxParallel ?? null,
    ...(budget === null ? {} : { budget }),
  };
  if (flags.command !== undefined && options.runtime !== "command")
    throw new OxbowError("usage", "--command belongs to --runtime command.");
  if (options.runtime === "command" && options.script !== null)
    throw new OxbowError(
      "usage",
      "With --runtime command every agent is that program, so a --script is never read.",
      {
        hint: "Leave one of them out, or give single agents `runtime: command` in the team file.",
      },
    );
  const { ticket, base } = flags;
  return { title, ticket, base, options };
}

function words(line: string): string[] {
  const split = splitWords(line);
  if (split.length === 0) throw new OxbowError("command_invalid", "The command is empty.");
  return split;
}

function showPlan(plan: PlannedRun, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ event: "plan", ...plan })}\n`);
    return;
  }
  const { task } = plan;
  process.stdout.write(
    `Plan for "${task.title}" from ${task.base_ref} (${task.base_commit.slice(0, 12)}); nothing was made.\n`,
  );
  for (const part of plan.parts) {
    const files =
      part.files === null ? "splits the task itself" : `${part.files} file${part.files === 1 ? "" : "s"}`;
    process.stdout.write(
      `  ${part.agent}: ${files}${part.allowed_paths.length > 0 ? ` in ${part.allowed_paths.join(", ")}` : ""}\n`,
    );
  }
  const budget = readAsk(task.options["budget"]);
  if (budget !== null) process.stdout.write(`  Budget: ${askWords(budget)}, all together.\n`);
  for (const notice of plan.notices) process.stdout.write(`${notice.message}\n`);
}
