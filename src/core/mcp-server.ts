/** `mcp_servers:` of a team file: where a server is, and who may call which of its tools. */
import type { Fail, Path } from "./team-issues.ts";
import type { RawTeam } from "./team-schema.ts";
import { suggestion } from "./text.ts";

/** A program that speaks over its stdin and stdout. */
export interface McpProgram {
  readonly kind: "program";
  readonly command: readonly string[];
  /** Names of variables that it gets besides PATH, HOME and the locale. */
  readonly env: readonly string[];
}

/** A server at a URL (streamable HTTP). Secrets are named, never written. */
export interface McpUrl {
  readonly kind: "url";
  readonly url: string;
  /** The variable whose value is sent as a bearer token. */
  readonly tokenEnv: string | null;
  /** By the header's name: the variable with its value. */
  readonly headersEnv: Readonly<Record<string, string>>;
}

export interface McpLists {
  /** The only tools, by the server's own names; null: all. */
  readonly allow: readonly string[] | null;
  readonly block: readonly string[];
}

export interface McpServerSpec extends McpLists {
  readonly name: string;
  readonly at: McpProgram | McpUrl;
  /** Who may use it, each with lists of its own besides the server's; null: every agent. */
  readonly agents: readonly (McpLists & { readonly name: string })[] | null;
  /** Of one call, milliseconds. */
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 60_000;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A header's name (RFC 9110), without those that the connection itself sets. */
const HEADER =
  /^(?!(?:accept|connection|content-.*|host|mcp-.*|transfer-encoding)$)[A-Za-z0-9!#$%&'*+.^_`|~-]+$/i;
const SECRET_NAME = /(?:^|[_-])(?:api_?key|key|token|secret|password|auth|signature|sig)(?:$|[_-])/i;

/** What stands before its tools' names: `<prefix>_<tool>`. */
export function serverPrefix(name: string): string {
  const word = name.toLowerCase().replace(/[^a-z0-9]+/g, "_");
  return word.replace(/^_+|_+$/g, "");
}

/** May the agent call this tool, by the server's own name for it? */
export function mayCall(server: McpServerSpec, agent: string, tool: string): boolean {
  const own = server.agents?.find(({ name }) => name === agent);
  if (server.agents !== null && own === undefined) return false;
  return [server, ...(own === undefined ? [] : [own])].every(
    ({ allow, block }) => allow?.includes(tool) !== false && !block.includes(tool),
  );
}

/** Is there anything of it for the agent? */
export function mayUse(server: McpServerSpec, agent: string): boolean {
  return server.agents === null || server.agents.some(({ name }) => name === agent);
}

export function shapeServers(raw: RawTeam["mcp_servers"]): readonly McpServerSpec[] {
  return (raw ?? []).map((server) => ({
    name: server.name,
    at:
      server.command === undefined
        ? {
            kind: "url",
            url: server.url ?? "",
            tokenEnv: server.token_env ?? null,
            headersEnv: server.headers_env ?? {},
          }
        : { kind: "program", command: server.command, env: server.env ?? [] },
    agents:
      server.agents?.map((agent) =>
        typeof agent === "string"
          ? { name: agent, allow: null, block: [] }
          : { name: agent.name, allow: agent.allow ?? null, block: agent.block ?? [] },
      ) ?? null,
    allow: server.allow ?? null,
    block: server.block ?? [],
    timeoutMs: server.timeout_ms ?? TIMEOUT_MS,
  }));
}

export function checkServers(raw: RawTeam, fail: Fail): void {
  const names = raw.agents.map(({ name }) => name);
  const prefixes = new Map<string, string>();
  for (const [i, server] of (raw.mcp_servers ?? []).entries()) {
    const refuse = (path: Path, message: string) =>
      fail("team_file_invalid", ["mcp_servers", i, ...path], message);
    const prefix = serverPrefix(server.name);
    if (!/^[a-z][a-z0-9_]{0,31}$/.test(prefix))
      refuse(["name"], "needs a letter first, and at most 32 letters, digits, dashes and underscores");
    const other = prefixes.get(prefix);
    if (other !== undefined) refuse(["name"], `the tools of ${other} would have the same names`);
    prefixes.set(prefix, server.name);
    for (const [j, agent] of (server.agents ?? []).entries()) {
      const [name, path] =
        typeof agent === "string" ? [agent, ["agents", j]] : [agent.name, ["agents", j, "name"]];
      if (!names.includes(name)) refuse(path, `there is no agent ${name}.${suggestion(name, names)}`);
    }
    checkPlace(server, refuse);
  }
}

function checkPlace(
  server: NonNullable<RawTeam["mcp_servers"]>[number],
  refuse: (path: Path, message: string) => never,
): void {
  const { command, url, env, token_env: token, headers_env: headers } = server;
  if ((command === undefined) === (url === undefined)) refuse([], "needs a `command`, or a `url`");
  if (url === undefined && token !== undefined) refuse(["token_env"], "belongs to a `url`");
  if (url === undefined && headers !== undefined) refuse(["headers_env"], "belongs to a `url`");
  if (url !== undefined && env !== undefined) refuse(["env"], "belongs to a `command`");
  if (url !== undefined) {
    const problem = urlProblem(url);
    if (problem !== null) refuse(["url"], problem);
  }
  for (const [j, name] of (env ?? []).entries())
    if (!VARIABLE.test(name)) refuse(["env", j], "is no name of an environment variable");
  if (token !== undefined && !VARIABLE.test(token))
    refuse(
      ["token_env"],
      "is no name of an environment variable: the token itself has no place in this file",
    );
  for (const [header, name] of Object.entries(headers ?? {})) {
    if (!HEADER.test(header)) refuse(["headers_env", header], "is no header that can be set");
    if (token !== undefined && header.toLowerCase() === "authorization")
      refuse(["headers_env", header], "is what `token_env` sets");
    if (!VARIABLE.test(name)) refuse(["headers_env", header], "must name an environment variable");
  }
}

function urlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return "is no http or https URL";
  if (
    url.username !== "" ||
    url.password !== "" ||
    [...url.searchParams.keys()].some((key) => SECRET_NAME.test(key))
  )
    return "holds a secret; name the variable that has it with `token_env` or `headers_env`";
  return null;
}
