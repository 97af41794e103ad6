/** A model is asked for a plan, once, and once more with what was wrong; what it says counts only when it passes every check. */
import type { AgentSpec } from "../core/team-file.ts";
import type { RunResult } from "../agent/contract.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { AgentRunner } from "../agent/runner.ts";
import { ERRORS, type ErrorCode, OxbowError } from "../core/errors.ts";
import { checkPlan, type Plan, type PlanProblem, type PlanSubtask, refusePlan } from "../core/plan.ts";
import { planAnswerForm, planOfAnswer, readPlanAnswer, withOwnPaths } from "../core/plan-answer.ts";
import { meceNotices, meceOf } from "../core/plan-mece.ts";
import type { PlannerFacts } from "../core/plan-shares.ts";
import { folderLines } from "../core/plan-folders.ts";
import { modelOf, runtimeOf } from "./engine.ts";
import { outsideOfTasks } from "./outside.ts";

export interface Question {
  readonly agent: AgentSpec;
  readonly options: RunOptions;
  readonly facts: PlannerFacts;
  /** What the rules made of the task. */
  readonly draft: Plan;
  /** Subtasks of it that stay as they are. */
  readonly kept: readonly PlanSubtask[];
  /** Files that are to get somebody; none: the whole task is to be planned. */
  readonly rest: readonly string[];
  /** Objectives that are nobody's own. */
  readonly unnamed: readonly string[];
  readonly planner: "llm" | "hybrid";
}

/** The first answer, and one more. */
const TRIES = 2;

/**
 * Throws plan_invalid (with `details: { problems }`) when neither answer can be carried out, runtime_not_available for a
 * program, and what the run failed with.
 */
export async function askForPlan(engine: Engine, question: Question, signal: AbortSignal): Promise<Plan> {
  const { agent, options, facts } = question;
  if (runtimeOf(options, agent) === "command")
    throw new OxbowError("runtime_not_available", `${agent.name} is a program, which plans nothing.`, {
      hint: "Name an agent that has a model with --planner-agent, or plan with --planner rules.",
    });
  let before: { readonly output: string; readonly problems: readonly PlanProblem[] } | null = null;
  for (let attempt = 1; ; attempt++) {
    const result = await ask(engine, question, inputOf(engine, question, before), signal);
    const output = engine.redact(result.output);
    const read = readPlanAnswer(output);
    const judged = "answer" in read ? judge(engine, withOwnPaths(read.answer, facts.agents), question) : null;
    const problems = "problems" in read ? read.problems : (judged?.problems ?? []);
    const isLast = attempt === TRIES;
    const plan = judged?.plan ?? null;
    if (plan !== null && problems.length === 0 && (isLast || judged?.doubts.length === 0)) return plan;
    if (isLast)
      refusePlan(problems, `${agent.name} gave no plan that can be carried out, in ${TRIES} answers`);
    const doubts = (judged?.doubts ?? []).map((message): PlanProblem => ({ path: [], message }));
    before = { output, problems: [...problems, ...doubts] };
  }
}

/** Doubts are told once; a plan that keeps them is carried out all the same, and says so. */
function judge(
  engine: Engine,
  answer: Parameters<typeof planOfAnswer>[0],
  { facts, draft, kept, planner }: Question,
): { plan: Plan | null; problems: readonly PlanProblem[]; doubts: readonly string[] } {
  const { agents, index } = facts;
  const subtasks = [...kept, ...answer.subtasks];
  const files = index.files.map(({ path }) => path);
  const problems = checkPlan({ subtasks, scope: [] }, { agents, limits: engine.team.limits, files });
  if (problems.length > 0) return { plan: null, problems, doubts: [] };
  const plan = planOfAnswer(answer, draft, { planner, kept, index });
  return {
    plan,
    problems: [],
    doubts: meceNotices({ ...plan.mece, leftovers: meceOf([], [], index).leftovers }),
  };
}

async function ask(
  engine: Engine,
  question: Question,
  input: string,
  signal: AbortSignal,
): Promise<RunResult> {
  const { agent, options } = question;
  const { defaults } = engine.team;
  const result = await new AgentRunner({ runtime: "openai_agents" }).run(
    {
      agent: agent.name,
      instructions: instructionsOf(engine, question),
      input,
      model: modelOf(options, agent, engine),
      models: engine.models(options, agent),
      tools: [],
      context: outsideOfTasks(agent.name),
      maxTurns: 1,
      timeoutMs: agent.timeoutMs ?? defaults.timeoutMs,
      responseTimeoutMs: agent.responseTimeoutMs,
    },
    signal,
  );
  if (result.error === undefined) return result;
  const { code, message, hint } = result.error;
  throw new OxbowError(isCode(code) ? code : "internal", message, hint === undefined ? {} : { hint });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function instructionsOf(engine: Engine, { agent, facts, kept }: Question): string {
  const { team, limits } = engine.team;
  const most = limits.maxChildrenPerSplit - kept.length;
  return [
    `You are ${agent.name}, an agent of the team ${team}. You plan a task for a team of coding agents on one Git repository; you do not do it, and you change nothing.`,
    [
      "The plan is a set of subtasks:",
      "- each is one agent's, and lies in what that agent may write: `allowed_paths` are patterns within the agent's own;",
      "- no two subtasks may write one file, and together they cover what the task is about;",
      `- there are ${most} at most; few are better than many;`,
      "- `depends_on` names those that must be done before, and never leads in a circle;",
      "- `brief` is all that its agent is told: what to do, what it is done by, what it must not do;",
      "- `approval` says why a person must agree before it begins, and is null where the task asks for no such thing.",
    ].join("\n"),
    `The team:\n${facts.agents.map(agentLine).join("\n")}`,
    `Your answer is one JSON value and nothing else, which meets this JSON Schema:\n${planAnswerForm()}`,
  ].join("\n\n");
}

function agentLine(agent: AgentSpec): string {
  const does = [
    ...agent.responsibilities,
    ...agent.skills,
    ...(agent.domain === null ? [] : [agent.domain]),
  ].join(", ");
  const own = agent.unbounded ? "any file" : agent.allowedPaths.slice(0, 50).join(", ") || "nothing";
  return `- ${agent.name}${does === "" ? "" : ` (${does})`}: may write ${own}`;
}

const MOST_FILES = 200;
const SHOWN_ANSWER = 20_000;

function inputOf(
  engine: Engine,
  { draft, facts, kept, rest, unnamed }: Question,
  before: { readonly output: string; readonly problems: readonly PlanProblem[] } | null,
): string {
  const { team } = engine.team;
  const listed = (items: readonly string[]) => items.map((item) => `- ${item}`).join("\n");
  const blocks = [
    `The task of the team ${team}:\n\n${draft.task}`,
    ...(draft.scope.length > 0 ? [`It is about these files: ${draft.scope.slice(0, 50).join(", ")}`] : []),
    ...(draft.constraints.length > 0 ? [`It says of how:\n${listed(draft.constraints)}`] : []),
    ...(draft.acceptance_criteria.length > 0
      ? [`It is done when:\n${listed(draft.acceptance_criteria)}`]
      : []),
    ...(kept.length > 0
      ? [
          `These subtasks are settled; answer only with those to be added (an empty list: none):\n${JSON.stringify(kept)}`,
        ]
      : []),
    ...(rest.length > 0
      ? [
          `${rest.length} file${rest.length === 1 ? " of it is" : "s of it are"} nobody's so far:\n${listed(rest.slice(0, MOST_FILES))}${rest.length > MOST_FILES ? "\n- …" : ""}`,
        ]
      : []),
    ...(unnamed.length > 0
      ? [
          `This of it is nobody's own so far; plan it, or leave it where it is part of the others:\n${listed(unnamed)}`,
        ]
      : []),
    `The repository:\n${folderLines(facts.index).join("\n")}`,
  ];
  if (before !== null)
    blocks.push(
      `Your last answer cannot be used:\n${before.output.slice(0, SHOWN_ANSWER)}`,
      `What is wrong with it:\n${listed(before.problems.map(({ message }) => message))}`,
      "Answer anew, with the whole plan.",
    );
  return blocks.join("\n\n");
}
