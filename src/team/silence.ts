/** A program that prints nothing for its agent's `response_timeout_ms` is taken for stuck, and ended. */
import type { AgentSpec } from "../core/team-file.ts";
import { OxbowError } from "../core/errors.ts";

export interface Silence extends Disposable {
  readonly signal: AbortSignal;
  /** Set once it was silent for too long. */
  readonly error: OxbowError | null;
  heard(): void;
}

export function watchSilence({ name, responseTimeoutMs: ms }: AgentSpec, signal: AbortSignal): Silence {
  if (ms === null) return { signal, error: null, heard: () => undefined, [Symbol.dispose]: () => undefined };
  const stuck = new AbortController();
  let error: OxbowError | null = null;
  const timer = setTimeout(() => {
    error = new OxbowError("agent_stuck", `The program of ${name} printed nothing for ${ms} ms.`);
    stuck.abort(error);
  }, ms);
  return {
    signal: AbortSignal.any([signal, stuck.signal]),
    get error() {
      return error;
    },
    heard: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
