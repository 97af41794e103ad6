/**
 * The same server over HTTP, for the network door to mount. A request has a server of its own, and a client may turn to any
 * process; clients of earlier revisions have sessions. Who calls, and from where, is checked before it comes here.
 */
import { createMcpHandler, isLegacyRequest, type McpHttpHandler } from "@modelcontextprotocol/server";
import type { App, Principal, Scope } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { createMcpServer, type OfferedCall, offeredCalls, type ServerOptions } from "./server.ts";
import { createSessions, type Sessions } from "./sessions.ts";

export interface McpMount {
  /** The tools are those that the principal's scopes allow. Throws limit_exceeded. */
  handle(request: Request, principal: Principal): Promise<Response>;
  /** Ends what is under way; calls end when `closing` aborts. */
  close(): Promise<void>;
}

/** Requests at work at once; a call may wait for long. */
const MOST = 512;

interface Made {
  readonly sessions: Sessions;
  handlerFor(scopes: readonly Scope[]): McpHttpHandler;
  close(): Promise<void>;
}

export function createMcpMount(app: App, options: Omit<ServerOptions, "scopes">): McpMount {
  let made: Promise<Made> | null = null;
  let working = 0;
  return {
    async handle(request, principal) {
      if (working >= MOST)
        throw new OxbowError("limit_exceeded", `${MOST} calls are under way.`, {
          hint: "Try again in a moment.",
        });
      working += 1;
      const done = once(() => {
        working -= 1;
      });
      try {
        made ??= offeredCalls(app).then((offered) => make(app, offered, options));
        return untilRead(await answer(await made, request, principal), done);
      } catch (error) {
        done();
        throw error;
      }
    },
    close: async () => (await made)?.close(),
  };
}

function make(app: App, offered: readonly OfferedCall[], options: Omit<ServerOptions, "scopes">): Made {
  const serverFor = (scopes: readonly Scope[]) => createMcpServer(app, offered, { ...options, scopes });
  const sessions = createSessions(({ scopes }) => serverFor(scopes));
  const handlers = new Map<string, McpHttpHandler>();
  options.closing.addEventListener("abort", () => sessions.endStreams(), { once: true });
  return {
    sessions,
    handlerFor(scopes) {
      const key = [...scopes].sort().join(" ");
      const known = handlers.get(key);
      if (known) return known;
      const handler = createMcpHandler(() => serverFor(scopes), { onerror: options.failed });
      handlers.set(key, handler);
      return handler;
    },
    async close() {
      await sessions.close();
      for (const handler of handlers.values()) await handler.close();
    },
  };
}

async function answer(
  { sessions, handlerFor }: Made,
  request: Request,
  principal: Principal,
): Promise<Response> {
  const stateless = () => handlerFor(principal.scopes).fetch(request);
  if (!(await isLegacyRequest(request))) return stateless();
  const known = await sessions.handle(request, principal);
  return known ?? (await sessions.begin(request, principal)) ?? stateless();
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
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
