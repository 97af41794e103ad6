/** The runner that every sub-agent call goes through, with what it needs taken from the settings when it is not given. */
import type { ModelSource } from "./agent/contract.ts";
import type { SubAgentCall } from "./agent/parallel.ts";
import type { RunResult } from "./agent/result.ts";
import { readScript } from "./bind.ts";
import { pricesOf } from "./prices.ts";
import { createModelSource } from "./agent/providers.ts";
import { credentialsOf, defaultModel } from "./agent/vendors.ts";
import { AgentRunner as Runner } from "./agent/runner.ts";
import { parseSettings } from "./core/settings.ts";
import { environment } from "./host/env.ts";
import { outsideOfTasks } from "./team/outside.ts";

export interface AgentRunnerOptions {
  readonly runtime: "openai_agents";
  /** `openai` (default), `openai_chat`, `anthropic` or `scripted`. Keys and base URL come from the environment. */
  readonly provider?: string | undefined;
  /** The file of the provider `scripted`. */
  readonly script?: string | undefined;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The most before the first retry of a model call, milliseconds; it doubles up to 30 s. Default 500. */
  readonly retryBaseMs?: number | undefined;
}

export interface AgentRun extends SubAgentCall {
  /**
   * Providers are sent `<key>-<turn>` as `Idempotency-Key`, the same over all tries of a turn. Default: one of the run's
   * own.
   */
  readonly idempotencyKey?: string | undefined;
}

const DEFAULT_TURNS = 40;
const DEFAULT_TIMEOUT_MS = 900_000;

export class AgentRunner {
  readonly #runner: Runner;
  readonly #options: AgentRunnerOptions;
  #opened: { readonly models: ModelSource; readonly model: string } | null = null;

  /** Throws runtime_not_available. */
  constructor(options: AgentRunnerOptions) {
    this.#runner = new Runner(options);
    this.#options = options;
  }

  /**
   * Runs one agent to its final answer. Never rejects: whatever goes wrong, also a missing key, is `error` of a result of
   * the same shape. Aborting `signal` gives the code `cancelled`, `timeoutMs` gives `timed_out`.
   */
  run(request: AgentRun, signal?: AbortSignal): Promise<RunResult> {
    const open = () => this.#open();
    const { agent, context = {}, maxTurns = DEFAULT_TURNS, timeoutMs = DEFAULT_TIMEOUT_MS } = request;
    return this.#runner.run(
      {
        ...request,
        instructions: request.instructions ?? "",
        tools: request.tools ?? [],
        context: { ...outsideOfTasks(agent), ...context },
        maxTurns,
        timeoutMs,
        // Asked for inside the run, so that what is wrong with the settings is a result too.
        models: {
          name: this.#options.provider ?? "openai",
          simulated: this.#options.provider === "scripted",
          model: async (wanted) => {
            const { models, model } = this.#open();
            return models.model({ ...wanted, model: wanted.model ?? model });
          },
          get limiter() {
            return open().models.limiter;
          },
          price: (named) => {
            const { models, model } = this.#open();
            return models.price?.(named ?? model) ?? null;
          },
        },
      },
      signal,
    );
  }

  #open(): { readonly models: ModelSource; readonly model: string } {
    if (this.#opened !== null) return this.#opened;
    const { provider = "openai", script, env } = this.#options;
    const settings = parseSettings(env ?? environment());
    this.#opened = {
      model: defaultModel(settings, provider),
      models: createModelSource({
        provider,
        ...credentialsOf(settings, provider),
        prices: pricesOf(settings),
        script: script === undefined ? undefined : readScript(script),
      }),
    };
    return this.#opened;
  }
}
