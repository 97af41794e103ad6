import { z } from "zod";
import type { Json } from "../src/core/model.ts";
import { type BarrierRequest, defineTool } from "../src/core/tool.ts";

const json = z.unknown().pipe(z.json());

const Check = z.strictObject({
  path: z.string().describe("The field it settles, as a JSON Pointer: /builds"),
  command: z.string().min(1).describe("What to run in the files of your branch, as with terminal_run."),
  pass: json.optional().describe("What the field is when the command exits with 0. Default: true."),
  fail: json.optional().describe("What it is otherwise. Default: false."),
});

/** Limits (how many runs, how large) are the engine's. */
export const barrierRun = defineTool({
  name: "barrier_run",
  description:
    "Ask the same question K times, at once, and get one bundle of evidence: each answer, what they agree on, how far they are apart and how sure that is. The runs may read the files of your branch and change nothing. Answers are JSON that meets your schema.",
  parameters: z.strictObject({
    agent: z.string().describe("The team's agent that answers."),
    input: z.string().min(1).describe("The question, with all that is needed to answer it."),
    schema: z
      .record(z.string(), json)
      .describe(
        "JSON Schema of an answer. Use enum for what is one of a few, minimum and maximum for scores.",
      ),
    k: z.number().int().describe("How many runs."),
    agents: z.array(z.string()).optional().describe("Further agents; the runs go round among all of them."),
    epsilon: z
      .number()
      .optional()
      .describe("Stop early when an answer moves the estimate by less than this, 0 to 1. Default: never."),
    min_runs: z.number().int().optional().describe("Answers before it may stop early. Default 3."),
    max_parallel: z.number().int().optional().describe("Runs at once, at most."),
    timeout_ms: z.number().int().optional().describe("Less time for a run than the agent has, milliseconds."),
    match_by: z
      .record(z.string(), z.array(z.string()))
      .optional()
      .describe(
        'For lists of objects, by path: the keys that say which are the same thing: { "/findings": ["file"] }',
      ),
    checks: z
      .array(Check)
      .optional()
      .describe("Commands that find out what a field really is; that outweighs every answer."),
  }),
  flag: "ENABLE_BARRIER_TOOL",
  run: async (input, ctx) => {
    const request: BarrierRequest = {
      agents: [input.agent, ...(input.agents ?? [])],
      input: input.input,
      schema: input.schema,
      k: input.k,
      epsilon: input.epsilon ?? 0,
      minRuns: input.min_runs ?? 3,
      maxParallel: input.max_parallel ?? null,
      timeoutMs: input.timeout_ms ?? null,
      matchBy: input.match_by ?? {},
      checks: (input.checks ?? []).map(({ path, command, pass = true, fail = false }) => ({
        path,
        command,
        pass,
        fail,
      })),
    };
    const bundle = await ctx.barrier(request, ctx.signal);
    // The same value; only its type does not say that all of it is JSON.
    const told: Json = JSON.parse(JSON.stringify(bundle));
    return told;
  },
});
