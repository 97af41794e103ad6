/**
 * The library's door: callers may be plain JavaScript, so what they pass is checked by the same schemas as a model's
 * arguments. Errors name the wire's snake_case parameters.
 */
import type { SplitRequest } from "./core/tool.ts";
import { parseToolInput } from "./agent/tool-input.ts";
import { OxbowError } from "./core/errors.ts";
import { orchestrateSplit } from "../tools/orchestrate_split.ts";
import { signalWait } from "../tools/signal_wait.ts";
import { signalWaitAll } from "../tools/signal_wait_all.ts";

/** Timers of Node overflow beyond this: about 24 days stand for "for ever". */
const MAX_MS = 2_147_483_647;
export const DEFAULT_WAIT_MS = 30_000;

/** Throws tool_input. */
export function checkSplit(request: SplitRequest): SplitRequest {
  const { numChildren, allowedPaths, targetAgent, timeoutMs, ...rest } = request;
  const timeout = timeoutMs === undefined ? undefined : atMost(timeoutMs);
  const renamed = {
    num_children: numChildren,
    allowed_paths: allowedPaths,
    target_agent: targetAgent,
    timeout_ms: timeout,
  };
  // Taken for what it says, it would be dropped without a word.
  const snake = Object.keys(rest).find((key) => Object.hasOwn(renamed, key));
  if (snake !== undefined)
    throw new OxbowError("tool_input", `The library writes ${snake} in camelCase.`, {
      details: { name: snake },
    });
  parseToolInput(orchestrateSplit, { ...rest, ...renamed });
  return timeout === undefined ? request : { ...request, timeoutMs: timeout };
}

/** The time to wait, milliseconds. Throws tool_input. */
export function checkWait(
  topic: string,
  lastId: string | null | undefined,
  timeoutMs = DEFAULT_WAIT_MS,
): number {
  const timeout = atMost(timeoutMs);
  parseToolInput(signalWait, { topic, last_id: lastId, timeout_ms: timeout });
  return timeout;
}

/** As {@link checkWait}, for several topics. */
export function checkWaits(
  topics: readonly string[],
  lastIds: Readonly<Record<string, string>> | null | undefined,
  timeoutMs = DEFAULT_WAIT_MS,
): number {
  const timeout = atMost(timeoutMs);
  parseToolInput(signalWaitAll, { topics, last_ids: lastIds, timeout_ms: timeout });
  return timeout;
}

/** Throws usage. */
export function checkText(name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new OxbowError("usage", `${name} must be a text, not ${value === null ? "null" : typeof value}.`, {
    hint: "Look at the types of the package for what the call takes.",
  });
}

/** Throws usage. */
export function checkExecution(given: { mode?: unknown; checkpoints?: unknown } | undefined): void {
  if (given === undefined) return;
  const { mode, checkpoints = [] } = given;
  if (mode !== "auto" && mode !== "manual")
    throw new OxbowError("usage", '`mode` must be "auto" or "manual".');
  if (!Array.isArray(checkpoints))
    throw new OxbowError("usage", "`checkpoints` must be a list of subtask ids.");
  for (const id of checkpoints) checkText("checkpoints", id);
}

function atMost(ms: number): number {
  return ms > MAX_MS ? MAX_MS : ms;
}

/** A word such as "no" would count as true. */
export function checkYesOrNo(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw new OxbowError("usage", `\`${name}\` must be true or false.`);
}
