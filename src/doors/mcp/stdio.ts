/** `oxbow mcp`: the server over stdin and stdout, for one client, until it closes stdin. The person's own process may do all. */
import { once } from "node:events";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { App } from "../../app.ts";
import { toErrorValue } from "../../core/errors.ts";
import { createMcpServer, offeredCalls } from "./server.ts";

export interface StdioOptions {
  readonly version: string;
  readonly failed: (line: string) => void;
}

/** Ends when stdin ends, or `signal` aborts. Throws what the repository and the team are refused for. */
export async function serve(app: App, { version, failed }: StdioOptions, signal: AbortSignal): Promise<void> {
  const offered = await offeredCalls(app);
  const closing = new AbortController();
  const tell = (error: unknown) => failed(toErrorValue(error).message);
  const closed = Promise.withResolvers<void>();
  const handle = serveStdio(
    () =>
      createMcpServer(app, offered, { version, scopes: ["admin"], closing: closing.signal, failed: tell }),
    { transport: lineTo(closed.resolve), onerror: tell },
  );
  if (!signal.aborted) await Promise.race([closed.promise, once(signal, "abort")]);
  closing.abort();
  await handle.close();
}

/** Over this process's stdin and stdout; `closed` hears of its end: stdin ended, stdout broke, or a message was far too long. */
function lineTo(closed: () => void): StdioServerTransport {
  const line = new StdioServerTransport();
  const close = line.close.bind(line);
  line.close = async () => {
    await close();
    closed();
  };
  return line;
}
