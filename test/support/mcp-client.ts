/** The official client of the protocol, against a real `oxbow mcp` or a real port. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { LAUNCHER, plainEnvironment } from "./cli.ts";

/** `legacy`: a revision before 2026-07-28, with the handshake. */
export type Era = "legacy" | "modern";

export interface Called {
  readonly isError: boolean;
  readonly text: string;
  readonly value: any;
}

export interface McpClient extends AsyncDisposable {
  readonly client: Client;
  /** Of the process, over stdio. */
  readonly pid: number | null;
  /** What it wrote to stderr. */
  stderr(): string;
  call(
    name: string,
    given?: Record<string, unknown>,
    options?: { signal?: AbortSignal; onprogress?: (progress: { message?: string | undefined }) => void },
  ): Promise<Called>;
}

const NEGOTIATION = { legacy: "legacy", modern: { pin: "2026-07-28" } } as const;

function newClient(era: Era): Client {
  return new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: NEGOTIATION[era] } });
}

export async function mcpOverStdio(
  cwd: string,
  options: { era?: Era; env?: Readonly<Record<string, string>>; args?: readonly string[] } = {},
): Promise<McpClient> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [LAUNCHER, "mcp", ...(options.args ?? [])],
    cwd,
    env: plainEnvironment(options.env),
    stderr: "pipe",
  });
  let stderr = "";
  transport.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes.toString("utf8");
  });
  const client = newClient(options.era ?? "legacy");
  await client.connect(transport);
  return wrapped(client, transport.pid, () => stderr);
}

export async function mcpOverHttp(
  url: string,
  options: { era?: Era; token?: string } = {},
): Promise<McpClient> {
  const headers: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  const transport = new StreamableHTTPClientTransport(new URL("/mcp", url), { requestInit: { headers } });
  const client = newClient(options.era ?? "legacy");
  await client.connect(transport);
  return wrapped(client, null, () => "");
}

function wrapped(client: Client, pid: number | null, stderr: () => string): McpClient {
  return {
    client,
    pid,
    stderr,
    async call(name, given = {}, options = {}) {
      const result = await client.callTool({ name, arguments: given }, options);
      const [first] = result.content;
      return {
        isError: result.isError === true,
        text: first?.type === "text" ? first.text : "",
        value: result.structuredContent,
      };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** The error in a result that is one. */
export function errorIn({ isError, text }: Called): { code: string; message: string; details?: any } {
  if (!isError) throw new Error(`no error: ${text}`);
  return JSON.parse(text).error;
}
