/** What a test file needs that runs agents against model servers. */
import { afterEach, beforeAll } from "vitest";
import { loadSdk } from "../../src/agent/sdk.ts";
import { builtinTools } from "../../tools/index.ts";
import type { ModelServer } from "./model-server.ts";

export const fileTools = builtinTools.filter((tool) => tool.flag === "ENABLE_FILE_TOOLS");

/** Servers put in here are closed after each test. The SDK is loaded before the first: it takes as long as some time limits. */
export function serversOfTests(): ModelServer[] {
  const servers: ModelServer[] = [];
  beforeAll(() => loadSdk());
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  return servers;
}
