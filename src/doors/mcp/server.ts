/**
 * The MCP server: a person's operations as tools, for whoever may call them. Wrong arguments and failures are results
 * that say `{ error: { code, message, hint } }`; nothing that a client sends ends the server.
 */
import { McpServer, type ServerContext } from "@modelcontextprotocol/server";
import type { App, Scope } from "../../app.ts";
import { toErrorValue } from "../../core/errors.ts";
import { mayUse } from "../../core/token.ts";
import { callAsPerson, PERSON_CALLS, type PersonCall } from "../../person-calls.ts";
import { standaloneCalls } from "../../tool-calls.ts";
import { schemaOf, type WireSchema } from "./schemas.ts";

/** Told to the model that uses the server. */
const INSTRUCTIONS =
  "Oxbow runs a team of coding agents on this Git repository: each works on a branch of its own, and finished branches are merged into integration/<ticket> with nothing lost. Give it work with run (or split), look at it with status, diff and report, answer what waits with approvals_list, and bring the result into your branch with merge.";

/** A client hears of a long call this often, milliseconds, so that it does not give it up. */
const BEAT_MS = 10_000;
/** Characters of a result's text; its structured content has all of it. */
const TEXT = 60_000;

export interface OfferedCall {
  readonly call: PersonCall;
  readonly input: WireSchema;
  readonly output: WireSchema;
}

/** Every operation there is, with its schemas as they are sent; made once. */
export async function offeredCalls(app: App): Promise<readonly OfferedCall[]> {
  const taken = new Set(PERSON_CALLS.map(({ name }) => name));
  const all = [...PERSON_CALLS, ...(await standaloneCalls(app, taken))];
  return all.map((call) => ({
    call,
    input: schemaOf(call.parameters, "input"),
    output: schemaOf(call.result, "output"),
  }));
}

export interface ServerOptions {
  readonly version: string;
  readonly scopes: readonly Scope[];
  /** Ends what calls wait for. */
  readonly closing: AbortSignal;
  readonly failed: (error: unknown) => void;
}

/** A server for one connection, or one request. */
export function createMcpServer(
  app: App,
  offered: readonly OfferedCall[],
  options: ServerOptions,
): McpServer {
  const server = new McpServer(
    { name: "oxbow", title: "Oxbow", version: options.version },
    { instructions: INSTRUCTIONS, capabilities: { tools: {} } },
  );
  for (const { call, input, output } of offered) {
    if (!mayUse(options.scopes, call.scope)) continue;
    const { name, description, readOnly, destructive } = call;
    const annotations = { readOnlyHint: readOnly, destructiveHint: destructive, openWorldHint: false };
    server.registerTool(
      name,
      { description, inputSchema: input, outputSchema: output, annotations },
      (given: unknown, context: ServerContext) => answer(app, call, given, context, options),
    );
  }
  return server;
}

async function answer(
  app: App,
  call: PersonCall,
  given: unknown,
  context: ServerContext,
  { closing, failed }: ServerOptions,
) {
  const signal = AbortSignal.any([context.mcpReq.signal, closing]);
  using progress = telling(context, call.name);
  try {
    const result = await callAsPerson(app, call, given, { signal, progress: progress.tell });
    return { content: [{ type: "text" as const, text: textOf(result) }], structuredContent: { ...result } };
  } catch (error) {
    const value = toErrorValue(error);
    if (value.code === "internal" && !signal.aborted) failed(error);
    const details = error instanceof Error && "details" in error ? error.details : undefined;
    const text = JSON.stringify({ error: { ...value, details } });
    const { shown } = await import("../../app.ts");
    return { content: [{ type: "text" as const, text: (await shown({ text })).text }], isError: true };
  }
}

/** A report is for reading; everything else is a value. */
function textOf(result: Readonly<Record<string, unknown>>): string {
  const { report } = result;
  const text = typeof report === "string" ? report : JSON.stringify(result);
  return text.length <= TEXT ? text : `${text.slice(0, TEXT)}…`;
}

/** Progress notifications, where the client asked for them. */
function telling(
  context: ServerContext,
  name: string,
): Disposable & { readonly tell: (message: string) => void } {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return { tell: () => undefined, [Symbol.dispose]: () => undefined };
  let progress = 0;
  const tell = (message: string): void => {
    progress += 1;
    const params = { progressToken, progress, message };
    // A client that is gone needs no progress.
    context.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
  const beat = setInterval(() => tell(`${name} goes on`), BEAT_MS);
  return { tell, [Symbol.dispose]: () => clearInterval(beat) };
}
