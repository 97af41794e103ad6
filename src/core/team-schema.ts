/** The one schema of team.yaml, in its own words (snake_case). `team-file.ts` adds positions and turns it into types. */
import { z } from "zod";

/** Timers of Node overflow beyond this. */
const MAX_MS = 2_147_483_647;

/** What holds where the team file says nothing. */
export const TEAM_DEFAULTS = {
  maxTurns: 40,
  timeoutMs: 900_000,
  workspacesKept: 4,
  maxReworks: 2,
  limits: { maxParallel: 16, maxDepth: 3, maxChildrenPerSplit: 50, maxChildren: 200 },
  group: { maxRestarts: 3, maxRestartsWithStrategy: 5, windowS: 300 },
} as const;

const word = z.string().min(1).max(200);
const words = z.array(word).max(200);
const line = z.string().min(1).max(8192);
const ms = z.int().min(1).max(MAX_MS);
const count = (max: number) => z.int().min(1).max(max);
const patterns = z.array(z.string()).max(5000);
const { limits, group: perGroup } = TEAM_DEFAULTS;

/** Below the home, and not all of it. */
const homeFile = word.refine(
  (name) => /^(?!\.{0,2}(?:\/|$))(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0\\]+$/.test(name),
  {
    error: "must be a path below your home, such as .claude",
  },
);

// The descriptions become docs/team-yaml.md.
const sandbox = z.strictObject({
  network: z
    .boolean()
    .optional()
    .describe("May its programs use the network, this machine's own included. Default `false`."),
  env: words.optional().describe("Names of environment variables that its programs get. Default: none."),
  home: z
    .union([z.enum(["private", "user"]), z.array(homeFile).max(50)], {
      error: "must be private, user, or a list of files and folders of your home",
    })
    .optional()
    .describe(
      "An empty private home directory (default), or with these files and folders of yours in it, such as `[.claude]` (they may be changed), or `user`: all of your own.",
    ),
});

const agent = z.strictObject({
  name: word.describe("Unique in the team; becomes the last part of its branches."),
  instructions: z.string().max(100_000).optional().describe("Added to what its model is told."),
  model: word.optional().describe("Default: `defaults.model`, then OPENAI_MODEL or ANTHROPIC_MODEL."),
  provider: word
    .optional()
    .describe(
      "`openai`, `openai_chat`, `anthropic`, `scripted`, or `claude-code` for a program ([providers.md](providers.md)). Default: `defaults.provider`.",
    ),
  runtime: z
    .enum(["openai_agents", "command", "acp"])
    .optional()
    .describe("A model (default), a program, or a coding CLI over ACP (refused: not available yet)."),
  command: z
    .array(line)
    .min(1)
    .max(1024)
    .optional()
    .describe(
      "The program of runtime `command` and its arguments; `{task}`, `{branch}`, `{paths}` are filled in.",
    ),
  tools: words.optional().describe("The only tools it gets, by name. Default: every tool whose group is on."),
  skills: words.optional().describe("Capability tags, told to the one that splits a task."),
  responsibilities: words.optional().describe("What it answers for, told to it and to the one that splits."),
  allowed_paths: patterns
    .optional()
    .describe(
      "Patterns of the files it owns and may write; `!` takes some out. Left out: it owns none, and may write any.",
    ),
  code_owners: words
    .optional()
    .describe("Who stands for it on GitHub (`@user`, `@org/team`), for `oxbow owners export`."),
  read_paths: patterns.optional().describe("Patterns of the files it may read. Default: all."),
  group: word.optional().describe("One of `groups`."),
  domain: word.optional().describe("A label of yours."),
  sla_ms: ms
    .optional()
    .describe("How long an attempt at a subtask may take, milliseconds; a longer one counts as crashed."),
  timeout_ms: ms
    .optional()
    .describe("How long one run may take, milliseconds. Default: `defaults.timeout_ms`."),
  response_timeout_ms: ms
    .optional()
    .describe(
      "How long a single answer of its model may take, or its program may print nothing, milliseconds; then it counts as crashed.",
    ),
  max_turns: count(10_000)
    .optional()
    .describe("Answers of its model in one run. Default: `defaults.max_turns`."),
  recovery: z
    .enum(["resume", "clean"])
    .optional()
    .describe("After a crash: go on with what was kept (default), or begin again."),
  sandbox: sandbox.optional().describe("What its programs get of this machine."),
});

const group = z.strictObject({
  name: word.describe("Unique among the groups."),
  critical: z
    .boolean()
    .optional()
    .describe("The first crash of a member stops the whole tree; the keys below are then refused."),
  strategy: z
    .enum(["one_for_one", "one_for_all", "rest_for_one"])
    .optional()
    .describe("Who is restarted with a member that crashed."),
  restart: z
    .enum(["permanent", "transient", "temporary"])
    .optional()
    .describe(
      "`transient` (default): restart after a crash. `permanent`: after an outcome `failed` too. `temporary`: never.",
    ),
  max_restarts: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe(
      `Restarts within the window before giving up, and further attempts of one subtask (which has 3 attempts without it). Default ${perGroup.maxRestarts}, with a \`strategy\` ${perGroup.maxRestartsWithStrategy}.`,
    ),
  window_s: count(31_536_000)
    .optional()
    .describe(
      `The window, seconds. Default ${perGroup.windowS}. The waits before the first \`max_restarts\` + 1 restarts (1, 2, 4 … at most 60 s each) must fit into it.`,
    ),
});

const moment = z.strictObject({
  cron: line.optional().describe("A cron line: five fields, or six with the seconds first."),
  at: line.optional().describe("A point in time, ISO 8601. Once."),
  after_ms: ms.optional().describe("Milliseconds after a worker first read it. Once."),
  tz: word
    .optional()
    .describe("The time zone of `cron`, and of an `at` without one, such as `Europe/Berlin`. Default: UTC."),
  task: line.optional().describe("Also submits this task, for this agent."),
});

const server = z.strictObject({
  name: word.describe("Unique among the servers; its tools are named `<name>_<tool>`."),
  command: z
    .array(line)
    .min(1)
    .max(1024)
    .optional()
    .describe("The server's program and its arguments. This or `url`."),
  env: words
    .optional()
    .describe(
      "Names of environment variables that the program gets besides PATH, HOME and the locale. Default: none.",
    ),
  url: line.optional().describe("Where the server is, http or https, without any secret."),
  token_env: word.optional().describe("The variable whose value is sent to `url` as a bearer token."),
  headers_env: z
    .record(word, word)
    .optional()
    .describe("Headers for `url`: by the header's name, the variable with its value."),
  agents: z
    .array(z.union([word, z.strictObject({ name: word, allow: words.optional(), block: words.optional() })]))
    .max(5000)
    .optional()
    .describe(
      "The agents that may use it: names, or `{ name, allow, block }` with lists of the agent's own. Default: all.",
    ),
  allow: words
    .optional()
    .describe("The only tools of it that may be called, by its own names. Default: all."),
  block: words.optional().describe("Tools of it that may not be called."),
  timeout_ms: ms.optional().describe("How long one call may take, milliseconds. Default 60000."),
});

export const teamSchema = z.strictObject({
  team: word.describe("The team's name."),
  lead: word
    .optional()
    .describe("The agent that gets a task for which no split is asked. Default: the first."),
  window_person: word.optional().describe("The person the team escalates to; shown with every owner."),
  repo: z
    .strictObject({
      base: word.optional().describe("Where work starts. Default: HEAD."),
      url: line
        .optional()
        .describe(
          "The remote that a fleet of machines shares ([fleet.md](fleet.md)): an https, ssh or file URL.",
        ),
    })
    .optional()
    .describe("The repository."),
  workspace: z
    .strictObject({
      pool: count(1000)
        .optional()
        .describe(
          "Clones at once, over all processes; who needs one more waits, without taking a place from others. They stay for the next run. Default: no limit but `limits.max_parallel`; 4 stay.",
        ),
      setup: z
        .array(line)
        .max(100)
        .optional()
        .describe(
          "Commands that prepare a clone, once, on the base commit and with network, such as `npm ci`. What they make stays.",
        ),
      link: z
        .array(line)
        .max(100)
        .optional()
        .describe(
          "Files and folders of your checkout that Git ignores, such as `node_modules`: every clone has them, read-only (without a sandbox: as copies).",
        ),
    })
    .optional()
    .describe(
      "The private clones in which programs run ([workspaces.md](workspaces.md)). Without it, clones are gone with the process that made them.",
    ),
  verify: z
    .array(line)
    .max(100)
    .optional()
    .describe(
      "Commands that must pass on the combined tree before it lands ([merging.md](merging.md)), such as `npm test`; words in quotes, no shell.",
    ),
  verify_network: z.boolean().optional().describe("Lets `verify` use the network. Default `false`."),
  merge: z
    .strictObject({
      conflicts: z
        .enum(["rework", "owner", "escalate"])
        .optional()
        .describe(
          "What does not merge, or fails `verify`, becomes a new subtask of its agent (`rework`, default) or of the owner of the files that conflict (`owner`), or waits for the window person (`escalate`).",
        ),
      squash: z
        .boolean()
        .optional()
        .describe("One commit for each branch, in place of a merge. Default `false`."),
      max_reworks: z
        .int()
        .min(0)
        .max(100)
        .optional()
        .describe(
          `New subtasks for one branch; after them it waits for the window person. Default ${TEAM_DEFAULTS.maxReworks}.`,
        ),
    })
    .optional()
    .describe("How finished branches are merged."),
  defaults: z
    .strictObject({
      provider: word
        .optional()
        .describe("`openai` (default), `openai_chat`, `anthropic`, `scripted` or `claude-code`."),
      model: word.optional().describe("Default: OPENAI_MODEL, or ANTHROPIC_MODEL for `anthropic`."),
      max_turns: count(10_000)
        .optional()
        .describe(`Answers of a model in one run. Default ${TEAM_DEFAULTS.maxTurns}.`),
      timeout_ms: ms
        .optional()
        .describe(`How long one run may take, milliseconds. Default ${TEAM_DEFAULTS.timeoutMs}.`),
    })
    .optional()
    .describe("For agents that do not say otherwise."),
  budget: z
    .strictObject({
      usd: z.number().positive().optional().describe("US dollars, as far as prices are known."),
      tokens: count(Number.MAX_SAFE_INTEGER).optional().describe("Tokens, read and written."),
      wall_ms: ms.optional().describe("From the first start of a child, milliseconds."),
    })
    .optional()
    .describe(
      "What one task may use, all its agents together; a part that would go over does not start ([orchestration/overview.md](orchestration/overview.md#a-budget-over-a-tree)).",
    ),
  limits: z
    .strictObject({
      max_parallel: count(10_000)
        .optional()
        .describe(`Conversations at work at once. Default ${limits.maxParallel}.`),
      max_depth: count(100).optional().describe(`How deep splits may nest. Default ${limits.maxDepth}.`),
      max_children_per_split: count(10_000)
        .optional()
        .describe(`Children of one split. Default ${limits.maxChildrenPerSplit}.`),
      max_children: count(1_000_000)
        .optional()
        .describe(`Children of one task, all splits together. Default ${limits.maxChildren}.`),
    })
    .optional()
    .describe("Bounds of a task; beyond them a split is refused."),
  plugins: z
    .array(line)
    .max(100)
    .optional()
    .describe(
      "Modules of yours that add tools, providers, merge strategies and agents ([plugins.md](plugins.md)): paths such as `./oxbow.plugin.ts`, read from the base commit, or names of packages.",
    ),
  groups: z.array(group).max(1000).optional().describe("Agents that are restarted together."),
  agents: z.array(agent).min(1).max(5000).describe("The team's agents."),
  schedule: z
    .record(
      word,
      z.union([line, moment], {
        error: "must be a cron line, or an object with one of cron, at and after_ms",
      }),
    )
    .optional()
    .describe(
      "By agent: when it is woken ([schedule.md](schedule.md)); a cron line or the keys below, with one of cron, at and after_ms.",
    ),
  mcp_servers: z
    .array(server)
    .max(100)
    .optional()
    .describe(
      "MCP servers whose tools agents may call ([mcp-servers.md](mcp-servers.md)), with `ENABLE_MCP_TOOLS=1`.",
    ),
});

export type RawTeam = z.infer<typeof teamSchema>;
export type RawAgent = z.infer<typeof agent>;

interface NotYet {
  readonly team: readonly (keyof RawTeam)[];
  readonly repo: readonly (keyof NonNullable<RawTeam["repo"]>)[];
  readonly agents: readonly (keyof RawAgent)[];
  readonly sandbox: readonly (keyof NonNullable<RawAgent["sandbox"]>)[];
}

/** Keys that are read and checked, but that nothing obeys yet. */
export const NOT_YET: NotYet = {
  team: [],
  repo: [],
  agents: [],
  sandbox: [],
};

/** The keys a mapping at this path may have, for a did-you-mean. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let here: unknown = z.toJSONSchema(teamSchema, { io: "input" });
  for (const step of path) {
    const next = typeof step === "number" ? field(here, "items") : field(field(here, "properties"), step);
    here = next ?? field(here, "additionalProperties");
  }
  const properties = field(here, "properties");
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
}

function field(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;
}
