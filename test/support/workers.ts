/** Workers in processes of their own, as a person starts them. */
import { type Running, startOxbow } from "./cli.ts";
import type { Shop } from "./shop.ts";

export interface Workers extends AsyncDisposable {
  readonly all: readonly Running[];
  /** The one that took a conversation of the agent; rejects when none ever does. */
  takerOf(agent: string): Promise<Running>;
  /** Once they have ended, in good order. */
  stop(): Promise<void>;
}

/** Workers that are ready. At the end they are told to stop, also those that stand still. */
export async function startWorkers(
  count: number,
  shop: Shop,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Workers> {
  const all = Array.from({ length: count }, () =>
    startOxbow(["worker", ...args, "--json"], { cwd: shop.dir, env }),
  );
  const stop = async () => {
    for (const each of all) {
      each.kill("SIGCONT");
      each.kill("SIGTERM");
    }
    await Promise.all(all.map((each) => each.ended));
  };
  try {
    await Promise.all(all.map((each) => each.line((line) => line["event"] === "worker_started")));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    all,
    takerOf: (agent) =>
      Promise.any(
        all.map(async (each) => {
          await each.line((line) => line["event"] === "conversation_taken" && line["agent"] === agent);
          return each;
        }),
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A reply that a test holds back. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}
