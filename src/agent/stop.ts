/**
 * Why a run must stop, as one signal: the caller's abort, the run's own time limit, or a failure that must not be
 * answered by another model call. The first reason wins.
 */
export type StopReason =
  | { readonly kind: "timed_out" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "fatal"; readonly error: unknown };

export interface Stop extends Disposable {
  readonly signal: AbortSignal;
  readonly reason: StopReason | null;
  /** Milliseconds until the time limit. */
  remaining(): number;
  fatal(error: unknown): void;
  /** Settles like `promise`, or rejects at once when the run must stop. */
  guard<T>(promise: Promise<T>): Promise<T>;
}

/** `setTimeout` would take a longer delay for 1 ms. */
const MAX_TIMER_MS = 2_147_483_647;

export function createStop(timeoutMs: number, outer?: AbortSignal): Stop {
  const controller = new AbortController();
  const endsAt = performance.now() + timeoutMs;
  let reason: StopReason | null = null;
  const stop = (why: StopReason): void => {
    if (reason !== null) return;
    reason = why;
    controller.abort(
      new DOMException(why.kind === "timed_out" ? "The run timed out" : "The run stopped", "AbortError"),
    );
  };
  const cancel = (): void => stop({ kind: "cancelled" });
  const timer = setTimeout(() => stop({ kind: "timed_out" }), Math.min(timeoutMs, MAX_TIMER_MS));
  if (outer?.aborted === true) cancel();
  else outer?.addEventListener("abort", cancel, { once: true });
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    remaining: () => endsAt - performance.now(),
    fatal: (error) => stop({ kind: "fatal", error }),
    guard: (promise) => guard(promise, controller.signal),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", cancel);
    },
  };
}

/** Settles like `promise`, or rejects with the signal's reason. */
export function guard<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const aborted = (): void => reject(asError(signal.reason));
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
    const release = (): void => signal.removeEventListener("abort", aborted);
    promise.then(
      (value) => {
        release();
        resolve(value);
      },
      (error: unknown) => {
        release();
        reject(asError(error));
      },
    );
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Waits, unless the run must stop first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
  });
  try {
    await guard(waited, signal);
  } finally {
    clearTimeout(timer);
  }
}
