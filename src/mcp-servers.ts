/** The MCP servers of an app: those of the team file as it is now, and their end. */
import type { Rooms } from "./rooms.ts";
import type { McpServerSpec } from "./core/mcp-server.ts";
import { createMcpTools, type McpTools } from "./agent/mcp-tools.ts";
import { variablesOf } from "./agent/mcp-transport.ts";

export interface McpServers extends AsyncDisposable {
  /** The same as before where nothing has changed; else those from before are ended. Starts none. */
  use(servers: readonly McpServerSpec[]): McpTools;
}

export function createMcpServers(
  { repo, secrets }: Pick<Rooms, "repo" | "secrets">,
  env: Readonly<Record<string, string>>,
  failed: (server: string, error: unknown) => void,
): McpServers {
  const place = { cwd: repo.bare ? repo.stateDir : repo.root, environment: env };
  let current: { readonly key: string; readonly tools: McpTools } | null = null;
  const ending = new Set<Promise<void>>();
  return {
    use(servers) {
      const key = JSON.stringify(servers);
      if (current?.key === key) return current.tools;
      if (current !== null) {
        const ended = current.tools.close().finally(() => ending.delete(ended));
        ending.add(ended);
      }
      secrets.know(servers.flatMap((server) => variablesOf(server).map((name) => env[name])));
      current = { key, tools: createMcpTools({ servers, place, clean: secrets.value, failed }) };
      return current.tools;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...ending, current?.tools.close()]);
    },
  };
}
