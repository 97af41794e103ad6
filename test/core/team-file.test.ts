import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";

const WHOLE = `team: Payments
lead: Lead
window_person: team-lead@example.com
repo: { base: main, url: git@example.com:pay/pay.git }
workspace: { pool: 4, setup: ["npm ci"], link: ["node_modules"] }
verify: ["npm test"]
merge: { conflicts: owner, squash: true, max_reworks: 1 }
defaults: { provider: openai, model: some-model, max_turns: 30, timeout_ms: 600000 }
budget: { usd: 5, tokens: 2000000, wall_ms: 3600000 }
limits: { max_parallel: 8, max_depth: 2, max_children_per_split: 10, max_children: 20 }
plugins: []
groups:
  - { name: builders, strategy: one_for_one, restart: permanent, max_restarts: 5, window_s: 300 }
  - { name: core, critical: true }
agents:
  - name: Lead
    responsibilities: [plan]
  - name: Api
    skills: [typescript, rest]
    responsibilities: [build]
    allowed_paths: ["src/api/**", "test/api/**"]
    read_paths: ["**"]
    group: builders
    domain: backend
    sla_ms: 600000
    recovery: resume
    response_timeout_ms: 120000
    instructions: Keep the public types stable.
  - name: Format
    runtime: command
    command: ["npx", "prettier", "--write", "{paths}"]
    allowed_paths: ["docs/**"]
    sandbox: { network: false, env: [], home: private }
schedule:
  Format: { cron: "0 6 * * 1-5", tz: Europe/Berlin }
mcp_servers:
  - { name: files, command: ["some-mcp-server"], agents: [Api], allow: [read_file] }
`;

function refusal(text: string): OxbowError {
  try {
    parseTeamFile(text, "team.yaml");
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const small = (agents: string, rest = "") => `team: T\n${rest}agents:\n${agents}`;

const server = (fields: string) => small("  - name: A\n", `mcp_servers: [{ ${fields} }]\n`);

describe("a team file", () => {
  it("reads everything the contract lists", () => {
    const team = parseTeamFile(WHOLE, "team.yaml");
    expect(team).toMatchObject({
      team: "Payments",
      lead: "Lead",
      windowPerson: "team-lead@example.com",
      repo: { base: "main" },
      verify: ["npm test"],
      verifyNetwork: false,
      merge: { conflicts: "owner", squash: true, maxReworks: 1 },
      defaults: { provider: "openai", model: "some-model", maxTurns: 30, timeoutMs: 600_000 },
      limits: { maxParallel: 8, maxDepth: 2, maxChildrenPerSplit: 10, maxChildren: 20 },
    });
    expect(team.agents.map((agent) => agent.name)).toEqual(["Lead", "Api", "Format"]);
    expect(team.agents[1]).toMatchObject({
      team: "Payments",
      allowedPaths: ["src/api/**", "test/api/**"],
      readPaths: ["**"],
      slaMs: 600_000,
      runtime: "openai_agents",
      instructions: "Keep the public types stable.",
    });
    expect(team.agents[2]).toMatchObject({
      runtime: "command",
      command: ["npx", "prettier", "--write", "{paths}"],
      sandbox: { network: false, env: [], home: "private" },
    });
  });

  it("is acted on as a whole", () => {
    expect(parseTeamFile(WHOLE, "team.yaml").notices).toEqual([]);
  });

  it("names servers, and who may call which of their tools", () => {
    const servers = `mcp_servers:
  - { name: files, command: [serve, "."], env: [TOKEN], agents: [A, { name: B, block: [rm] }], allow: [ls, rm] }
  - { name: web, url: "https://example.com/mcp?set=all", token_env: TOKEN, headers_env: { X-Id: ID }, timeout_ms: 5 }
`;
    expect(parseTeamFile(small("  - name: A\n  - name: B\n", servers), "team.yaml").mcpServers).toEqual([
      {
        name: "files",
        at: { kind: "program", command: ["serve", "."], env: ["TOKEN"] },
        agents: [
          { name: "A", allow: null, block: [] },
          { name: "B", allow: null, block: ["rm"] },
        ],
        allow: ["ls", "rm"],
        block: [],
        timeoutMs: 60_000,
      },
      {
        name: "web",
        at: {
          kind: "url",
          url: "https://example.com/mcp?set=all",
          tokenEnv: "TOKEN",
          headersEnv: { "X-Id": "ID" },
        },
        agents: null,
        allow: null,
        block: [],
        timeoutMs: 5,
      },
    ]);
  });

  it("has the defaults of the contract", () => {
    const team = parseTeamFile(small("  - name: A\n"), "team.yaml");
    expect(team).toMatchObject({
      lead: null,
      windowPerson: null,
      defaults: { provider: null, model: null, maxTurns: 40, timeoutMs: 900_000 },
      limits: { maxParallel: 16, maxDepth: 3, maxChildrenPerSplit: 50, maxChildren: 200 },
      verify: [],
      merge: { conflicts: "rework", squash: false, maxReworks: 2 },
      notices: [],
    });
    expect(team.agents[0]).toMatchObject({ allowedPaths: [], readPaths: null, tools: null, timeoutMs: null });
  });

  it.each<[string, string, string]>([
    ["a flow that is not closed", "team: T\nagents: [x\nlead: A\n", "team.yaml:3:1: Flow sequence"],
    ["a key twice", "team: T\nteam: U\n", "team.yaml:2:1: the key team is there already"],
    ["nothing", "", "team.yaml:1:1: must be a mapping"],
    ["a list", "- a\n", "team.yaml:1:1: must be a mapping, not a list"],
    ["two documents", "team: T\n---\nteam: U\n", "team.yaml:"],
    ["a tag", "team: !!js/function x\n", "team.yaml:1:7: Unresolved tag"],
    [
      "an alias of nothing",
      small("  - name: A\n", "verify: *b\n"),
      "team.yaml:2:9: there is no anchor &b before this",
    ],
    [
      "aliases without end",
      `team: &t T\nverify:\n${"  - *t\n".repeat(30_000)}`,
      "uses more than 100 aliases",
    ],
    [
      "an unknown key",
      small("  - name: A\n", "groupes: []\n"),
      "team.yaml:2:1: groupes: there is no such key. Did you mean groups?",
    ],
    [
      "an unknown key of an agent",
      small("  - name: A\n    allowed_path: [x]\n"),
      "team.yaml:4:5: agents[0].allowed_path: there is no such key. Did you mean allowed_paths?",
    ],
    ["a missing name", small("  - skills: [x]\n"), "team.yaml:3:5: agents[0].name: is missing"],
    ["no agents", "team: T\nagents: []\n", "team.yaml:2:9: agents: must not be empty"],
    ["no team", "agents:\n  - name: A\n", "team.yaml:1:1: team: is missing"],
    [
      "a text for a list",
      small("  - name: A\n    allowed_paths: src\n"),
      'team.yaml:4:20: agents[0].allowed_paths: must be a list, not the text "src"',
    ],
    [
      "a number for a name",
      small("  - name: 12\n"),
      "team.yaml:3:11: agents[0].name: must be a text, not the number 12",
    ],
    [
      "a limit of nothing",
      small("  - name: A\n", "limits: { max_parallel: 0 }\n"),
      "team.yaml:2:25: limits.max_parallel: must be at least 1",
    ],
    [
      "an unknown runtime",
      small("  - name: A\n    runtime: docker\n"),
      'agents[0].runtime: must be openai_agents or command or acp, not the text "docker"',
    ],
    [
      "a name twice",
      small("  - name: A\n  - name: A\n"),
      "team.yaml:4:11: agents[1].name: there is an agent A already",
    ],
    [
      "names that differ by case",
      small("  - name: Api\n  - name: API\n"),
      "API and Api would have one branch name",
    ],
    [
      "a name that is an option",
      small("  - name: -d\n"),
      'agents[0].name: The agent\'s name "-d" begins with a dash.',
    ],
    [
      "an unknown lead",
      small("  - name: Api\n", "lead: Apu\n"),
      "team.yaml:2:7: lead: there is no agent Apu. Did you mean Api?",
    ],
    [
      "a program that is missing",
      small("  - name: A\n    runtime: command\n"),
      "agents[0]: the runtime command needs a `command:`",
    ],
    ["a program nobody runs", small("  - name: A\n    command: [ls]\n"), "only with `runtime: command`"],
    ["an unknown group", small("  - name: A\n    group: x\n"), "agents[0].group: there is no group x."],
    [
      "a critical group that restarts",
      small("  - name: A\n", "groups: [{ name: g, critical: true, restart: permanent }]\n"),
      "groups[0].restart: a critical group stops the tree",
    ],
    ["a schedule that is a number", small("  - name: A\n", "schedule: { A: 5 }\n"), "must be a cron line"],
    [
      "a server for nobody",
      small("  - name: A\n", "mcp_servers: [{ name: s, command: [x], agents: [B] }]\n"),
      "mcp_servers[0].agents[0]: there is no agent B.",
    ],
    ["a server that is nowhere", server("name: s"), "mcp_servers[0]: needs a `command`, or a `url`"],
    [
      "two servers whose tools have the same names",
      small("  - name: A\n", "mcp_servers: [{ name: a-b, command: [x] }, { name: A_B, command: [x] }]\n"),
      "mcp_servers[1].name: the tools of a-b would have the same names",
    ],
    [
      "a server without a name for tools",
      server('name: "7", command: [x]'),
      "mcp_servers[0].name: needs a letter",
    ],
    [
      "a secret in a URL",
      server('name: s, url: "https://example.com/mcp?api_key=x"'),
      "mcp_servers[0].url: holds a secret; name the variable",
    ],
    ["a password in a URL", server('name: s, url: "https://me:pw@example.com/"'), "url: holds a secret"],
    ["a URL of another kind", server('name: s, url: "file:///etc"'), "url: is no http or https URL"],
    [
      "a token in place of a variable",
      server('name: s, url: "https://example.com", token_env: "sk-1 2"'),
      "mcp_servers[0].token_env: is no name of an environment variable",
    ],
    [
      "variables for a URL",
      server('name: s, url: "https://example.com", env: [X]'),
      "env: belongs to a `command`",
    ],
    ["a token for a program", server("name: s, command: [x], token_env: X"), "token_env: belongs to a `url`"],
    [
      "a header that is the connection's",
      server('name: s, url: "https://example.com", headers_env: { Host: X }'),
      "headers_env.Host: is no header that can be set",
    ],
    ["a plugin outside", small("  - name: A\n", 'plugins: ["../p.ts"]\n'), "plugins[0]: The path"],
    ["a plugin of no kind", small("  - name: A\n", 'plugins: ["./p.py"]\n'), "plugins[0]: must end with .ts"],
    ["a plugin without ./", small("  - name: A\n", 'plugins: ["p.ts"]\n'), "write ./p.ts for the file"],
    [
      "a plugin by URL",
      small("  - name: A\n", 'plugins: ["https://x.y/p"]\n'),
      "plugins[0]: is neither a path",
    ],
    ["a plugin twice", small("  - name: A\n", 'plugins: ["p", "p"]\n'), "plugins[1]: is there twice"],
    ["a text that is too large", `team: ${"x".repeat(1_100_000)}`, "is larger than 1 MB"],
    ["nesting without end", "[".repeat(200_000), "team.yaml:"],
  ])("refuses %s and shows the place", (_what, text, message) => {
    const error = refusal(text);
    expect(error.code).toBe("team_file_invalid");
    expect(error.message).toContain(message);
    expect(error.details).toMatchObject({
      file: "team.yaml",
      line: expect.any(Number),
      column: expect.any(Number),
    });
  });

  it("shows several findings at once, in the order of the file", () => {
    const error = refusal(small("  - name: 1\n    skills: x\n", "limits: { max_depth: x }\n"));
    expect(error.message.split("\n").map((line) => line.split(" ")[1])).toEqual([
      "limits.max_depth:",
      "agents[0].name:",
      "agents[0].skills:",
    ]);
    expect(error.details).toMatchObject({ line: 2, column: 22, path: "limits.max_depth" });
  });

  it("refuses aliases that multiply, quickly", () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i}: &l${i} [${`*l${i - 1}, `.repeat(9)}*l${i - 1}]`,
    ).slice(1);
    const started = performance.now();
    expect(refusal(`l0: &l0 [x]\n${levels.join("\n")}\n`).code).toBe("team_file_invalid");
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("reads an alias like the value it stands for", () => {
    const text = small("  - { name: A, skills: &s [x] }\n  - { name: B, skills: *s }\n");
    expect(parseTeamFile(text, "team.yaml").agents[1]?.skills).toEqual(["x"]);
  });

  it("refuses one pattern on two agents at the second of them", () => {
    const error = refusal(
      small('  - name: A\n    allowed_paths: ["docs/"]\n  - name: B\n    allowed_paths: ["x", "docs/**"]\n'),
    );
    expect(error.code).toBe("team_config");
    expect(error.message).toBe(
      'team.yaml:6:26: agents[1].allowed_paths[1]: Agents A and B both have the pattern "docs/" and "docs/**".',
    );
    expect(error.details).toMatchObject({ line: 6, column: 26, path: "agents[1].allowed_paths[1]" });
  });

  it("refuses a pattern that leads out, where it stands", () => {
    const error = refusal(small('  - name: A\n    allowed_paths: ["ok/**", "../x"]\n'));
    expect([error.code, error.details["line"], error.details["column"]]).toEqual(["team_config", 4, 30]);
  });

  it("knows claude-code as a program without a command, of an agent's own or by default", () => {
    const own = parseTeamFile(small("  - { name: A, provider: claude-code, model: opus }\n"), "team.yaml")
      .agents[0];
    expect(own).toMatchObject({ provider: "claude-code", runtime: "command", command: null, model: "opus" });
    const rest = "defaults: { provider: claude-code, model: opus }\n";
    const agents =
      "  - name: A\n  - { name: B, provider: openai }\n  - { name: C, runtime: command, command: [c] }\n";
    const [a, b, c] = parseTeamFile(small(agents, rest), "team.yaml").agents;
    expect(a).toMatchObject({ provider: "claude-code", runtime: "command", model: "opus" });
    expect(b).toMatchObject({ provider: "openai", runtime: "openai_agents", model: null });
    expect(c).toMatchObject({ provider: null, runtime: "command", command: ["c"] });
    for (const wrong of ["runtime: openai_agents", "runtime: command, command: [c]"])
      expect(refusal(small(`  - { name: A, provider: claude-code, ${wrong} }\n`)).code).toBe(
        "team_file_invalid",
      );
  });

  it("says that a runtime of later is not there", () => {
    const error = refusal(small("  - name: A\n    runtime: acp\n"));
    expect(error.code).toBe("runtime_not_available");
    expect(error.message).toContain("team.yaml:4:14: agents[0].runtime");
  });
});
