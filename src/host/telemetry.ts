/**
 * Traces, as far as somebody wants them (docs/observability.md). Whoever does something worth a span says so with `span`;
 * outside of a traced task that costs a look at an empty store, and no library is loaded.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;
/** Adds to the span at work. `error.type` makes it a failed one. */
export type Note = (attributes: Attributes) => void;

/** A span that is open. */
export interface OpenSpan {
  child(name: string, attributes: Attributes): OpenSpan;
  readonly note: Note;
  /** `error`: what was thrown; undefined: nothing. */
  end(error?: unknown): void;
}

export interface Telemetry {
  /** Opens a span of the task's trace, below the task as a whole. */
  open(taskId: string, name: string, attributes: Attributes): OpenSpan | null;
  /** Tells of what is over by now. `startedAt`: Unix milliseconds. */
  past(taskId: string, name: string, attributes: Attributes, startedAt: number): void;
  /** The task as a whole, told once, by whoever brought it to its end. */
  ended(taskId: string, attributes: Attributes, startedAt: number): void;
  /** Sends what is left, for as long as that may take; never throws. */
  close(): Promise<void>;
}

/** Where nobody asked for traces. */
export const NO_TELEMETRY: Telemetry = {
  open: () => null,
  past: () => undefined,
  ended: () => undefined,
  close: () => Promise.resolve(),
};

const current = new AsyncLocalStorage<OpenSpan>();
const unheard: Note = () => undefined;

/** Does a part of a task's work, with a span around it where there are traces. */
export function taskSpan<T>(
  telemetry: Telemetry,
  taskId: string,
  name: string,
  attributes: Attributes,
  work: (note: Note) => Promise<T>,
): Promise<T> {
  const opened = telemetry.open(taskId, name, attributes);
  return opened === null ? work(unheard) : within(opened, work);
}

/** The same below the span that is at work; without one it only works. */
export function span<T>(name: string, attributes: Attributes, work: (note: Note) => Promise<T>): Promise<T> {
  const parent = current.getStore();
  return parent === undefined ? work(unheard) : within(parent.child(name, attributes), work);
}

async function within<T>(opened: OpenSpan, work: (note: Note) => Promise<T>): Promise<T> {
  try {
    const result = await current.run(opened, () => work(opened.note));
    opened.end();
    return result;
  } catch (error) {
    opened.end(error);
    throw error;
  }
}
