/**
 * Ctrl-C once: stop in order, keep the work. Twice: at once. A closed terminal or a polite kill: end what ends within
 * OXBOW_DRAIN_MS, hand the rest back for `--resume`; twice: at once, and it is taken over as after a crash. The launcher passes a signal on that the terminal may have sent us too, so two within a moment are one.
 */
import { STOP } from "../../core/stop.ts";

const ONE_PRESS_MS = 100;

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

export function interruption(told: (name: string) => void = () => undefined): Interruption {
  const controller = new AbortController();
  let pressed = 0;
  const interrupted = () => {
    const now = performance.now();
    if (controller.signal.aborted) {
      if (now - pressed > ONE_PRESS_MS) process.exit(130);
      return;
    }
    pressed = now;
    told("SIGINT");
    controller.abort(STOP.cancelled);
  };
  const handedBack = (name: NodeJS.Signals) => {
    const now = performance.now();
    if (controller.signal.aborted) {
      if (now - pressed > ONE_PRESS_MS) process.exit(143);
      return;
    }
    pressed = now;
    told(name);
    controller.abort(STOP.handBack);
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", handedBack);
  process.on("SIGHUP", handedBack);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", handedBack);
      process.off("SIGHUP", handedBack);
    },
  };
}
