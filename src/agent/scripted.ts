/**
 * A model that follows a script (docs/scripted.md): for demos and tests. It is not a model, and all output says so.
 * A script is played once from its start for every conversation, also when another process goes on with it; what it has to
 * know it reads from the conversation.
 */
import type { AgentInputItem, AssistantMessageItem, Model, ModelRequest, StreamEvent } from "@openai/agents";
import type { FunctionCallItem } from "@openai/agents";
import { OxbowError } from "../core/errors.ts";
import { modelFailure } from "./failure.ts";
import type { ParsedScript, ScriptStep } from "./script-file.ts";
import { pause } from "./stop.ts";

export interface ScriptedRun {
  readonly agent: string;
  readonly task: string;
}

type Output = (AssistantMessageItem | FunctionCallItem)[];

/** Throws script_invalid when the script says nothing about this agent and task. */
export function stepsFor(script: ParsedScript, { agent, task }: ScriptedRun): readonly ScriptStep[] {
  const cases = script.agents.get(agent) ?? [];
  const found = cases.find(({ when }) => when === null || when(task))?.steps ?? script.fallback;
  if (found === null) {
    throw new OxbowError(
      "script_invalid",
      `The script has no steps for ${agent} and this task, and no default.`,
      {
        hint: `Add agents.${agent}, or default, to the script.`,
      },
    );
  }
  return found;
}

export function createScriptedModel(steps: readonly ScriptStep[], run: ScriptedRun): Model {
  let at = 0;
  let calls = 0;
  let isFresh = true;

  /** Steps that were played in another process. */
  const skip = (input: ModelRequest["input"]): void => {
    isFresh = false;
    for (let answers = answersIn(input); answers > 0 && at < steps.length; answers--) {
      while (isNoAnswer(steps[at])) at++;
      const step = steps[at++];
      const next = steps[at];
      if (step && "say" in step && next && ("tool" in next || "tools" in next)) at++;
    }
    if (typeof input !== "string") calls = input.filter(({ type }) => type === "function_call").length;
  };

  const answer = async (request: ModelRequest): Promise<Output> => {
    const signal = request.signal ?? new AbortController().signal;
    if (isFresh) skip(request.input);
    for (;;) {
      signal.throwIfAborted();
      const step = steps[at];
      if (step === undefined) return message("");
      if ("wait_ms" in step) {
        at++;
        await pause(step.wait_ms, signal);
        continue;
      }
      const results = resultsOf(request.input);
      if ("fail" in step) {
        // A failure that can be retried is met once, so that the steps after it are reached; the last step stays.
        const failure = modelFailure(fillText(step.fail, run), { status: step.status });
        if (failure.retryable && at < steps.length - 1) at++;
        throw failure;
      }
      at++;
      if ("say" in step) {
        const text = fillText(step.say, run);
        // Text in the middle of a script is said along with the calls of the next step.
        const next = steps[at];
        if (next === undefined || !("tool" in next || "tools" in next)) return message(text);
        at++;
        return [...message(text), ...callsOf(next, results)];
      }
      return callsOf(step, results);
    }
  };

  const callsOf = (step: ScriptStep, results: readonly unknown[]): Output => {
    const list = "tool" in step ? [step] : "tools" in step ? step.tools : [];
    return list.map((call) => ({
      type: "function_call" as const,
      callId: `scripted_${++calls}`,
      name: call.tool,
      status: "completed" as const,
      arguments: JSON.stringify(fillValue(call.arguments, run, results)),
    }));
  };

  return {
    getResponse() {
      throw new Error("The runner streams every answer.");
    },
    async *getStreamedResponse(request): AsyncGenerator<StreamEvent> {
      const output = await answer(request);
      yield { type: "response_started" };
      for (const item of output) {
        if (item.type !== "message") continue;
        for (const part of item.content) {
          if (part.type === "output_text") yield { type: "output_text_delta", delta: part.text };
        }
      }
      const usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
      yield { type: "response_done", response: { id: `scripted_response_${at}`, usage, output } };
    },
  };
}

function message(text: string): Output {
  return [
    { type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text }] },
  ];
}

function isNoAnswer(step: ScriptStep | undefined): boolean {
  return step !== undefined && ("wait_ms" in step || "fail" in step);
}

/** Answers of the model in the conversation so far: each ends with what somebody else said. */
function answersIn(input: ModelRequest["input"]): number {
  if (typeof input === "string") return 0;
  const own = input.map(
    (item) => item.type === "function_call" || ("role" in item && item.role === "assistant"),
  );
  return own.filter((is, i) => is && own[i - 1] !== true).length;
}

/** Every tool result of the conversation so far, oldest first, as JSON values (or text, where it is none). */
function resultsOf(input: string | readonly AgentInputItem[]): readonly unknown[] {
  if (typeof input === "string") return [];
  const results: unknown[] = [];
  for (const item of input) {
    if (item.type !== "function_call_result") continue;
    results.push(parsed(outputText(item.output)));
  }
  return results;
}

function outputText(output: unknown): string {
  if (typeof output === "string") return output;
  if (typeof output === "object" && output !== null && "text" in output) return String(output.text);
  return JSON.stringify(output);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const REFERENCE = /^\$(?:last|results\[(\d+)\])((?:\.[A-Za-z0-9_-]+|\[\d+\])*)$/;

/** A whole string `$last.path` or `$results[0].path` becomes the value; other strings have `{{task}}` and `{{agent}}` filled in. */
export function fillValue(value: unknown, run: ScriptedRun, results: readonly unknown[]): unknown {
  if (Array.isArray(value)) return value.map((each) => fillValue(each, run, results));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, fillValue(each, run, results)]),
    );
  }
  if (typeof value !== "string") return value;
  const reference = REFERENCE.exec(value);
  return reference === null ? fillText(value, run) : lookUp(value, reference, results);
}

function lookUp(text: string, reference: RegExpExecArray, results: readonly unknown[]): unknown {
  let at: unknown = reference[1] === undefined ? results.at(-1) : results[Number(reference[1])];
  for (const [, key, index] of (reference[2] ?? "").matchAll(/\.([A-Za-z0-9_-]+)|\[(\d+)\]/g)) {
    const name = key ?? index ?? "";
    at = typeof at === "object" && at !== null && Object.hasOwn(at, name) ? Reflect.get(at, name) : undefined;
  }
  if (at === undefined) {
    throw new OxbowError(
      "script_invalid",
      `${text} names nothing: no such tool result, or no such part of it.`,
    );
  }
  return at;
}

function fillText(text: string, run: ScriptedRun): string {
  return text.replace(/\{\{(task|agent)\}\}/g, (_whole, name) => (name === "task" ? run.task : run.agent));
}
