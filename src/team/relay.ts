/** Sends what the outbox holds. What cannot be sent now stays there: a run and every worker try again, look by look. */
import { hasCode, toErrorValue } from "../core/errors.ts";
import type { Engine } from "./engine.ts";

export async function relaySoon({ store, log }: Pick<Engine, "store" | "log">): Promise<void> {
  try {
    await store.relay();
  } catch (error) {
    if (!hasCode(error)) throw error;
    log.error({ error: toErrorValue(error) }, "relay_failed");
  }
}
