/** A run's ToolDefs as function tools of the SDK: checked arguments in, capped JSON text out, no throw past this file. */
import type { Tool } from "@openai/agents";
import { failPoint } from "../host/fail-point.ts";
import { type Note, span } from "../host/telemetry.ts";
import { hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import type { ToolContext, ToolDef } from "../core/tool.ts";
import type { RunHistory, RunnerEvent } from "./contract.ts";
import type { Sdk } from "./sdk.ts";
import type { Stop } from "./stop.ts";
import { parseToolInput, toolSchema } from "./tool-input.ts";

/** Bytes of JSON text that one tool result may bring into the conversation. */
export const MAX_RESULT_BYTES = 60_000;

export interface ToolRuns {
  readonly tools: readonly Tool[];
  /** What the model is told when it calls a tool that it was not given. */
  unknownTool(name: string, callId: string): string;
  /** Settles when every call that was started has ended. */
  idle(): Promise<void>;
}

export function createFunctionTools(options: {
  readonly sdk: Sdk;
  readonly tools: readonly ToolDef[];
  readonly context: ToolContext;
  readonly source: string;
  readonly stop: Stop;
  readonly emit: (event: RunnerEvent) => void;
  readonly history: RunHistory | null;
}): ToolRuns {
  const { source, stop, emit, history } = options;
  /** Calls that an earlier attempt may have made. */
  const earlier = new Set(
    (history?.pending ?? []).flatMap((item) => (item.type === "function_call" ? [item.callId] : [])),
  );
  const context: ToolContext = { ...options.context, signal: stop.signal };
  const running = new Set<Promise<unknown>>();

  const told = (tool: string, callId: string, startedAt: number, code?: string): void => {
    const elapsed = Math.round(performance.now() - startedAt);
    const base = { kind: "tool_result" as const, source, tool, call_id: callId, elapsed_ms: elapsed };
    emit(code === undefined ? { ...base, ok: true } : { ...base, ok: false, code });
  };

  const call = (tool: ToolDef, input: unknown, callId: string): Promise<string> =>
    span("oxbow.tool", { "gen_ai.tool.name": tool.name, "gen_ai.tool.call.id": callId }, (note) =>
      callOnce(tool, input, callId, note),
    );

  const callOnce = async (tool: ToolDef, input: unknown, callId: string, note: Note): Promise<string> => {
    const startedAt = performance.now();
    const work = Promise.resolve().then(async () => {
      const parsed = parseToolInput(tool, input);
      failPoint("tool.before");
      const before = earlier.delete(callId) ? await history?.settled(tool.name, parsed, callId) : null;
      return before ?? tool.run(parsed, context);
    });
    running.add(work);
    const ended = (): void => void running.delete(work);
    work.then(ended, ended);
    try {
      const value = await stop.guard(work);
      failPoint("tool.after");
      const text = cappedJson(value);
      told(tool.name, callId, startedAt);
      return text;
    } catch (error) {
      const text = refusal(error);
      const { code } = toErrorValue(error);
      note({ "error.type": code });
      told(tool.name, callId, startedAt, code);
      // Somebody else has taken this work over: nothing that the model could still do would be kept.
      if (hasCode(error, "fenced")) stop.fatal(error);
      return text;
    }
  };

  const tools = options.tools.map((tool) => {
    const made = options.sdk.tool({
      name: tool.name,
      description: tool.description,
      strict: false,
      parameters: { type: "object", properties: {}, required: [], additionalProperties: true },
      execute: (input, _context, details) => call(tool, input, details?.toolCall?.callId ?? ""),
      // Arguments are well-formed when they come here and `call` answers every failure; this is the SDK's last resort.
      errorFunction: (_context, error) => refusal(error),
    });
    // Put in afterwards: the SDK's types let a non-strict tool only have parameters that it does not name.
    return { ...made, parameters: toolSchema(tool) };
  });

  return {
    tools,
    unknownTool(name, callId) {
      const known = options.tools.map((tool) => tool.name).join(", ");
      const error = new OxbowError("tool_unknown", `There is no tool named ${name}.`, {
        hint: known === "" ? "No tools are available; answer in text." : `Available tools: ${known}.`,
      });
      told(name, callId, performance.now(), error.code);
      return refusal(error);
    },
    idle: async () => {
      await Promise.allSettled(running);
    },
  };
}

function refusal(error: unknown): string {
  return cappedJson({ ok: false, error: toErrorValue(error) });
}

/** JSON text, cut at {@link MAX_RESULT_BYTES} with a mark that says how much is missing. */
export function cappedJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_RESULT_BYTES) return text;
  const kept = Buffer.from(text)
    .subarray(0, MAX_RESULT_BYTES)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  return `${kept}\n[truncated: the first ${MAX_RESULT_BYTES} of ${bytes} bytes; ask for less]`;
}
