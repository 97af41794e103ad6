/** The app's methods that send and await signals, and fan work out over them. */
import type { Json } from "./core/model.ts";
import type { Settings } from "./core/settings.ts";
import type { SignalMessage, Signals, SignalTimeout, SplitRequest, SplitResult } from "./core/tool.ts";
import type { Rooms } from "./rooms.ts";
import type { Engine } from "./team/engine.ts";

export interface SignalCalls {
  signalSend(topic: string, payload: Json): Promise<{ ok: true; topic: string; message_id: string }>;
  signalWait(
    topic: string,
    options: { lastId?: string | undefined; timeoutMs: number },
    signal: AbortSignal,
  ): Promise<SignalMessage | SignalTimeout>;
  signals(): Promise<Signals>;
  /** Enqueues a task and its children for the workers; with `wait`, waits for their done signals. */
  split(request: SplitRequest, signal: AbortSignal): Promise<SplitResult>;
}

export function signalCalls(
  opened: () => Promise<Rooms>,
  engine: () => Promise<Engine>,
  settings: Settings,
): SignalCalls {
  const signals = async () => {
    const { createSignals } = await import("./team/signals.ts");
    const { store, secrets } = await opened();
    return createSignals({ store, settings, redact: secrets.redact });
  };
  return {
    signals,
    signalSend: async (topic, payload) => (await signals()).send(topic, payload),
    signalWait: async (topic, { lastId, timeoutMs }, signal) =>
      (await signals()).wait(topic, lastId, timeoutMs, signal),
    split: async (request, signal) =>
      (await import("./team/split.ts")).splitTask(await engine(), request, signal),
  };
}
