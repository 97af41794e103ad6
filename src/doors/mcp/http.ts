/**
 * The same server over HTTP, for the network door to mount: each request has a server of its own, so that nothing is kept
 * between requests and a client may turn to any process. Who calls, and from where, is checked before it comes here.
 */
import { createMcpHandler, type McpHttpHandler } from "@modelcontextprotocol/server";
import type { App, Principal } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { createMcpServer, type OfferedCall, offeredCalls, type ServerOptions } from "./server.ts";

export interface McpMount {
  /** The tools are those that the principal's scopes allow. */
  handle(request: Request, principal: Principal): Promise<Response>;
  /** Ends what is under way; calls end when `closing` aborts. */
  close(): Promise<void>;
}

/** Requests at work at once; a call may wait for long. */
const MOST = 256;

export function createMcpMount(app: App, options: Omit<ServerOptions, "scopes">): McpMount {
  const handlers = new Map<string, McpHttpHandler>();
  let offered: Promise<readonly OfferedCall[]> | null = null;
  let working = 0;

  /** One for each set of scopes. */
  const handlerFor = async ({ scopes }: Principal): Promise<McpHttpHandler> => {
    const calls = await (offered ??= offeredCalls(app));
    const key = [...scopes].sort().join(" ");
    const known = handlers.get(key);
    if (known) return known;
    const made = createMcpHandler(() => createMcpServer(app, calls, { ...options, scopes }), {
      onerror: options.failed,
    });
    handlers.set(key, made);
    return made;
  };

  return {
    async handle(request, principal) {
      if (working >= MOST)
        throw new OxbowError("limit_exceeded", `${MOST} calls are under way.`, {
          hint: "Try again in a moment.",
        });
      working += 1;
      let counted = true;
      const done = () => {
        if (counted) working -= 1;
        counted = false;
      };
      try {
        return untilRead(await (await handlerFor(principal)).fetch(request), done);
      } catch (error) {
        done();
        throw error;
      }
    },
    async close() {
      for (const handler of handlers.values()) await handler.close();
    },
  };
}

/** The response, with word when its body has been read or given up. */
function untilRead(response: Response, done: () => void): Response {
  if (response.body === null) {
    done();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done: ended, value } = await reader.read();
      if (value) controller.enqueue(value);
      if (!ended) return;
      done();
      controller.close();
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}
