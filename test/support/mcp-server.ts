/** The test server of mcp-server-main.ts on loopback, over streamable HTTP. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { createTestServer } from "./mcp-server-main.ts";

export interface McpTestServer extends AsyncDisposable {
  readonly url: string;
  /** Of every request. */
  readonly headers: readonly IncomingHttpHeaders[];
  sessions(): number;
  /** As when it was started anew. */
  forgetSessions(): Promise<void>;
}

/** `answer`: in place of the server, for every request. */
export async function startMcpServer(answer?: () => Response): Promise<McpTestServer> {
  const headers: IncomingHttpHeaders[] = [];
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

  const serve = async (request: Request): Promise<Response> => {
    if (answer !== undefined) return answer();
    const id = request.headers.get("mcp-session-id");
    const known = id === null ? undefined : sessions.get(id);
    if (known !== undefined) return known.handleRequest(request);
    if (id !== null) return new Response("no such session", { status: 404 });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (made) => void sessions.set(made, transport),
      onsessionclosed: (made) => void sessions.delete(made),
    });
    await createTestServer().connect(transport);
    return transport.handleRequest(request);
  };

  const server = createServer((request, response) => {
    headers.push(request.headers);
    serve(toRequest(request)).then(
      (made) => send(made, response),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const forgetSessions = async () => {
    const all = [...sessions.values()];
    sessions.clear();
    await Promise.all(all.map((each) => each.close()));
  };
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    headers,
    sessions: () => sessions.size,
    forgetSessions,
    async [Symbol.asyncDispose]() {
      await forgetSessions();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function toRequest(request: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers))
    if (value !== undefined) headers.set(name, String(value));
  const hasBody = request.method === "POST";
  return new Request(`http://127.0.0.1${request.url ?? "/"}`, {
    method: request.method ?? "GET",
    headers,
    ...(hasBody ? { body: Readable.toWeb(request) as ReadableStream, duplex: "half" } : {}),
  });
}

function send(made: Response, response: ServerResponse): void {
  response.writeHead(made.status, Object.fromEntries(made.headers));
  if (made.body === null) return void response.end();
  const body = Readable.fromWeb(made.body);
  body.on("error", () => response.destroy());
  response.on("close", () => body.destroy());
  body.pipe(response);
}
