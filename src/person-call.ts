/**
 * What a person may do from another program: one definition serves the MCP server and REST. The doors translate; what an
 * operation means, what it gives and what a token needs for it is said here.
 */
import { z } from "zod";
import type { App } from "./app.ts";
import type { Scope } from "./core/token.ts";
import { OxbowError } from "./core/errors.ts";

export interface CallContext {
  /** Ends what the call waits for. What it has made durable stays. */
  readonly signal: AbortSignal;
  /** One line on what happens meanwhile. */
  progress(message: string): void;
  /** Who asks, where a token says so. Default: the repository's user. */
  readonly as?: string | undefined;
}

export interface PersonCall<P extends z.ZodObject = z.ZodObject, R extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly description: string;
  readonly parameters: P;
  readonly result: R;
  /** What a token needs for it (`mayUse`). */
  readonly scope: Scope;
  /** It changes nothing. */
  readonly readOnly: boolean;
  /** It may undo or replace something that is there. */
  readonly destructive: boolean;
  /** Throws an OxbowError. */
  run(app: App, input: z.infer<P>, context: CallContext): Promise<z.infer<R>>;
}

/** Keeps the types of one definition without spelling them out. */
export function personCall<P extends z.ZodObject, R extends z.ZodObject>(
  call: PersonCall<P, R>,
): PersonCall<P, R> {
  return call;
}

/**
 * Checks the arguments, runs the call and returns its result as it may be shown. Throws tool_input with
 * `details: { fields: [{ field, issue }] }` for wrong arguments, and what the call throws.
 */
export async function callAsPerson(
  app: App,
  call: PersonCall,
  given: unknown,
  context: CallContext,
): Promise<Readonly<Record<string, unknown>>> {
  const parsed = call.parameters.safeParse(given ?? {});
  if (!parsed.success) throw wrongArguments(call.name, parsed.error);
  const result = call.result.parse(await call.run(app, parsed.data, context));
  const { shown } = await import("./secrets.ts");
  return shown(result);
}

const ISSUES_SHOWN = 20;

function wrongArguments(name: string, { issues }: z.ZodError): OxbowError {
  const fields = issues
    .slice(0, ISSUES_SHOWN)
    .map(({ path, message }) => ({ field: path.join("."), issue: message }));
  const words = fields.map(({ field, issue }) => (field === "" ? issue : `${field}: ${issue}`));
  return new OxbowError("tool_input", `${name}: ${words.join("; ")}`, { details: { fields } });
}

export interface Cut {
  readonly text: string;
  readonly truncated: boolean;
}

/** The beginning of a text that is too long to be an answer. */
export function cut(text: string, most: number): Cut {
  return text.length <= most
    ? { text, truncated: false }
    : { text: `${text.slice(0, most)}\n… ${text.length - most} more characters`, truncated: true };
}
