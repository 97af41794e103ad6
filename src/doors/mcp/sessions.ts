/**
 * Sessions of clients that speak a revision of the protocol before 2026-07-28: their cancellations come as requests of
 * their own, so somebody has to know what they belong to. They are of one principal, and there are only so many; beyond
 * that a client is served without one.
 */
import { randomUUID } from "node:crypto";
import {
  isInitializeRequest,
  type McpServer,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Principal } from "../../app.ts";

export interface Sessions {
  /** Null: it belongs to no session, and begins none. */
  handle(request: Request, principal: Principal): Promise<Response> | null;
  /** Whether a client may have a session of its own now, that begins with this request. */
  begin(request: Request, principal: Principal): Promise<Response | null>;
  /** Ends the streams on which nothing is answered, so that nobody waits for their end. */
  endStreams(): void;
  close(): Promise<void>;
}

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: McpServer;
  readonly whose: string;
  /** Milliseconds of a monotonic clock. */
  usedAt: number;
}

const MOST = 200;
/** One that is not used for so long may go when another needs its place, milliseconds. */
const IDLE_MS = 60_000;

export function createSessions(serverFor: (principal: Principal) => McpServer): Sessions {
  const sessions = new Map<string, Session>();

  const end = async (id: string): Promise<void> => {
    const session = sessions.get(id);
    sessions.delete(id);
    await session?.server.close();
  };

  /** Makes a place where there is none: of whom was not heard for longest. */
  const hasPlace = async (): Promise<boolean> => {
    if (sessions.size < MOST) return true;
    const [oldest] = [...sessions].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    if (!oldest || performance.now() - oldest[1].usedAt < IDLE_MS) return false;
    await end(oldest[0]);
    return true;
  };

  return {
    handle(request, principal) {
      const id = request.headers.get("mcp-session-id");
      if (id === null) return null;
      const session = sessions.get(id);
      if (!session || session.whose !== ownerOf(principal)) return Promise.resolve(noSession());
      session.usedAt = performance.now();
      return session.transport.handleRequest(request);
    },

    async begin(request, principal) {
      if (!(await isInitialize(request)) || !(await hasPlace())) return null;
      const server = serverFor(principal);
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => {
          sessions.set(id, { transport, server, whose: ownerOf(principal), usedAt: performance.now() });
        },
        onsessionclosed: (id) => void sessions.delete(id),
      });
      await server.connect(transport);
      return transport.handleRequest(request);
    },

    endStreams() {
      for (const { transport } of sessions.values()) transport.closeStandaloneSSEStream();
    },

    async close() {
      for (const id of sessions.keys()) await end(id);
    },
  };
}

function ownerOf({ token_id, name }: Principal): string {
  return token_id ?? `without a token: ${name}`;
}

async function isInitialize(request: Request): Promise<boolean> {
  if (request.method !== "POST") return false;
  try {
    return isInitializeRequest(await request.clone().json());
  } catch {
    // Whoever reads it next says what is wrong with it.
    return false;
  }
}

/** As the protocol has it: the client is to begin a new one. */
function noSession(): Response {
  const error = { code: -32_001, message: "There is no such session; begin a new one." };
  return Response.json({ jsonrpc: "2.0", error, id: null }, { status: 404 });
}
