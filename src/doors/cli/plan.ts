/** `oxbow plan`: what a task would become, for a person to read, keep and change. */
import { createInterface } from "node:readline/promises";
import { type App, openApp, type Plan, type RunOptions } from "../../app.ts";
import { hasCode, OxbowError } from "../../core/errors.ts";
import { PLANNERS, type Planner } from "../../core/plan.ts";
import { absolutePath, readText } from "./files.ts";
import { interruption } from "./interruption.ts";
import { planText } from "./plan-text.ts";

export interface PlanFlags {
  repo: string;
  team?: string;
  ticket?: string;
  base?: string;
  file?: string;
  from?: string;
  planner?: string;
  plannerAgent?: string;
  provider?: string;
  model?: string;
  script?: string;
  within?: number;
  output?: string;
  edit?: boolean;
  json?: boolean;
}

export async function plan(task: string | undefined, flags: PlanFlags): Promise<number> {
  const given = [task, flags.file, flags.from].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new OxbowError("usage", given.length === 0 ? "Say what is to be done." : "Give one task.", {
      hint: 'oxbow plan "<task>", oxbow plan --file ISSUE.md (- for stdin), or oxbow plan --from PLAN.yaml',
    });
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const from = { base: flags.base, ticket: flags.ticket };
  let made: Plan;
  let file: string | null = flags.from ?? null;
  if (file !== null && !flags.edit) made = await app.readPlan(await readText(file), file, from);
  else if (file === null) {
    using stop = interruption(() => undefined);
    made = await app.makePlan(await request(task, flags), stop.signal);
  } else made = await edited(app, absolutePath(file), from);
  if (flags.from === undefined && (flags.output !== undefined || flags.edit === true)) {
    file = await app.keepPlan(made, flags.output);
    if (flags.edit === true) made = await edited(app, file, from);
  } else if (flags.output !== undefined) file = await app.keepPlan(made, flags.output);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(made)}\n`);
  else {
    const sizes = await app.planSizes(made, from);
    process.stdout.write(planText(made, { sizes, budget: await app.planBudget(), file }));
  }
  return 0;
}

async function request(task: string | undefined, flags: PlanFlags) {
  const options: RunOptions = {
    by: null,
    provider: flags.provider ?? null,
    model: flags.model ?? null,
    runtime: null,
    command: null,
    script: flags.script === undefined ? null : absolutePath(flags.script),
    maxParallel: null,
  };
  const { base, ticket, planner, plannerAgent, within } = flags;
  return {
    task: task ?? (await readText(flags.file ?? "-")),
    base,
    ticket,
    planner: planner === undefined ? undefined : plannerNamed(planner),
    plannerAgent,
    deadlineMs: within,
    options,
  };
}

function plannerNamed(name: string): Planner {
  const found = PLANNERS.find((each) => each === name);
  if (found !== undefined) return found;
  throw new OxbowError("usage", `There is no planner ${name}; there are ${PLANNERS.join(", ")}.`);
}

/** The editor, until the plan can be carried out or the person gives up; the file keeps what they wrote. */
async function edited(
  app: App,
  file: string,
  from: { base?: string | undefined; ticket?: string | undefined },
) {
  for (;;) {
    await app.editFile(file);
    try {
      return await app.readPlan(await readText(file), file, from);
    } catch (error) {
      if (!hasCode(error, "plan_invalid")) throw error;
      const kept = `What you wrote is kept: \`oxbow plan --edit --from ${file}\` goes on with it.`;
      if (!process.stdin.isTTY)
        throw new OxbowError("plan_invalid", error.message, { hint: kept, details: error.details });
      process.stderr.write(`${error.message}\n`);
      if (!(await again()))
        throw new OxbowError("plan_invalid", error.message, { hint: kept, details: error.details });
    }
  }
}

async function again(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return !/^n/i.test((await terminal.question("Edit it again? [Y/n] ")).trim());
  } finally {
    terminal.close();
  }
}
