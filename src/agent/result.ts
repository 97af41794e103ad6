/** What a run tells while it goes on, and what it comes to. Without the SDK's types: this is part of the package's face. */
import type { BreakerState } from "../core/breaker.ts";
import type { ErrorValue } from "../core/errors.ts";
import type { Usage } from "../core/model.ts";

export type RunnerEvent =
  | { kind: "text_delta"; source: string; text: string }
  | { kind: "text"; source: string; text: string }
  | { kind: "tool_called"; source: string; tool: string; call_id: string; arguments: string }
  | {
      kind: "tool_result";
      source: string;
      tool: string;
      call_id: string;
      ok: boolean;
      code?: string;
      elapsed_ms: number;
    }
  /** After each answer of the model; `usage` is this turn's own, so that turns add up. */
  | { kind: "turn"; source: string; turn: number; usage: Usage }
  /** The model is asked again: what it has said since the last turn (`text_delta`) is void. */
  | { kind: "retry"; source: string; reason: string; attempt: number; delay_ms: number }
  /**
   * The provider is held to be down (`open`), tried once for all (`half_open`), or up again (`closed`); told by the run
   * whose request it was.
   */
  | { kind: "breaker"; source: string; provider: string; state: BreakerState; reason: string | null };

/** A failure has the same shape as a success, plus `error`. */
export interface RunResult {
  readonly output: string;
  readonly usage: Usage;
  /** US dollars; null when the model's price is not known. */
  readonly cost: number | null;
  readonly elapsed_ms: number;
  readonly request_id: string | null;
  readonly trace_id: string;
  /** Codes: provider_failed, model_behaviour, model_refused, answer_truncated, max_turns, timed_out, cancelled, internal. */
  readonly error?: ErrorValue;
}
