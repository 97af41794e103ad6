/** `oxbow doctor` about what a team has besides its file: plugins, which are loaded, and MCP servers, which `--live` asks. */
import type { App } from "./app.ts";
import type { DoctorRow } from "./doctor.ts";
import type { McpServerSpec } from "./core/mcp-server.ts";
import type { Settings } from "./core/settings.ts";
import type { TeamFile } from "./core/team-file.ts";
import { missingVariables } from "./agent/mcp-transport.ts";
import { toErrorValue } from "./core/errors.ts";

export async function extensionRows(
  app: App,
  team: TeamFile,
  settings: Settings,
  env: Readonly<Record<string, string>>,
  live: boolean,
): Promise<readonly DoctorRow[]> {
  const plugins = team.plugins.length === 0 ? [] : [await pluginRow(app, team)];
  const servers = await Promise.all(
    team.mcpServers.map((server) => serverRow(app, server, settings, env, live)),
  );
  return [...plugins, ...servers];
}

async function pluginRow(app: App, { plugins, repo }: TeamFile): Promise<DoctorRow> {
  const check = "plugins";
  try {
    await app.tools();
    return { check, state: "ok", found: `${plugins.join(", ")}, from ${repo.base ?? "HEAD"}` };
  } catch (error) {
    return { check, state: "error", ...told(error) };
  }
}

async function serverRow(
  app: App,
  server: McpServerSpec,
  settings: Settings,
  env: Readonly<Record<string, string>>,
  live: boolean,
): Promise<DoctorRow> {
  const check = "mcp";
  const { name, at } = server;
  const where = at.kind === "url" ? new URL(at.url).origin : at.command.join(" ");
  if (!settings.enableMcpTools)
    return {
      check,
      state: "warning",
      found: `${name} (${where}) is not used`,
      hint: "Set ENABLE_MCP_TOOLS=1 to give agents its tools.",
    };
  const missing = missingVariables(server, env);
  if (missing.length > 0)
    return {
      check,
      state: "error",
      found: `${name} (${where}) needs ${missing.join(", ")}`,
      hint: `Set ${missing.join(" and ")}.`,
    };
  if (!live)
    return { check, state: "ok", found: `${name} (${where})`, hint: "`oxbow doctor --live` connects to it." };
  try {
    const tools = await app.serverTools(name);
    return {
      check,
      state: "ok",
      found: `${name} (${where}) has ${tools.length} tool${tools.length === 1 ? "" : "s"}`,
    };
  } catch (error) {
    return { check, state: "error", ...told(error) };
  }
}

function told(error: unknown): { found: string; hint?: string } {
  const { message, hint } = toErrorValue(error);
  return { found: message, ...(hint === undefined ? {} : { hint }) };
}
