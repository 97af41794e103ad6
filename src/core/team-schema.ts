/** The one schema of team.yaml, in its own words (snake_case). `team-file.ts` adds positions and turns it into types. */
import { z } from "zod";

/** Timers of Node overflow beyond this. */
const MAX_MS = 2_147_483_647;

const word = z.string().min(1).max(200);
const words = z.array(word).max(200);
const line = z.string().min(1).max(8192);
const ms = z.int().min(1).max(MAX_MS);
const count = (max: number) => z.int().min(1).max(max);

const sandbox = z.strictObject({
  network: z.boolean().optional(),
  env: words.optional(),
  home: z.enum(["private", "user"]).optional(),
});

const agent = z.strictObject({
  name: word,
  instructions: z.string().max(100_000).optional(),
  model: word.optional(),
  provider: word.optional(),
  runtime: z.enum(["openai_agents", "command", "acp"]).optional(),
  command: z.array(line).min(1).max(1024).optional(),
  tools: words.optional(),
  skills: words.optional(),
  responsibilities: words.optional(),
  allowed_paths: z.array(z.string()).max(5000).optional(),
  read_paths: z.array(z.string()).max(5000).optional(),
  group: word.optional(),
  domain: word.optional(),
  sla_ms: ms.optional(),
  timeout_ms: ms.optional(),
  response_timeout_ms: ms.optional(),
  max_turns: count(10_000).optional(),
  recovery: z.enum(["resume", "clean"]).optional(),
  sandbox: sandbox.optional(),
});

const group = z.strictObject({
  name: word,
  critical: z.boolean().optional(),
  strategy: z.enum(["one_for_one", "one_for_all", "rest_for_one"]).optional(),
  restart: z.enum(["permanent", "transient", "temporary"]).optional(),
  max_restarts: z.int().min(0).max(10_000).optional(),
  window_s: count(31_536_000).optional(),
});

const moment = z.strictObject({
  cron: line.optional(),
  at: line.optional(),
  after_ms: ms.optional(),
  tz: word.optional(),
  task: line.optional(),
});

const server = z.strictObject({
  name: word,
  command: z.array(line).min(1).max(1024),
  agents: words.optional(),
  allow: words.optional(),
});

export const teamSchema = z.strictObject({
  team: word,
  lead: word.optional(),
  window_person: word.optional(),
  repo: z.strictObject({ base: word.optional(), url: line.optional() }).optional(),
  workspace: z
    .strictObject({
      pool: count(1000).optional(),
      setup: z.array(line).max(100).optional(),
      link: z.array(line).max(100).optional(),
    })
    .optional(),
  verify: z.array(line).max(100).optional(),
  verify_network: z.boolean().optional(),
  merge: z.strictObject({ conflicts: z.enum(["rework", "owner", "escalate"]).optional() }).optional(),
  defaults: z
    .strictObject({
      provider: word.optional(),
      model: word.optional(),
      max_turns: count(10_000).optional(),
      timeout_ms: ms.optional(),
    })
    .optional(),
  budget: z
    .strictObject({
      usd: z.number().positive().optional(),
      tokens: count(Number.MAX_SAFE_INTEGER).optional(),
      wall_ms: ms.optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      max_parallel: count(10_000).optional(),
      max_depth: count(100).optional(),
      max_children_per_split: count(10_000).optional(),
      max_children: count(1_000_000).optional(),
    })
    .optional(),
  plugins: z.array(line).max(100).optional(),
  groups: z.array(group).max(1000).optional(),
  agents: z.array(agent).min(1).max(5000),
  schedule: z
    .record(
      word,
      z.union([line, moment], {
        error: "must be a cron line, or an object with one of cron, at and after_ms",
      }),
    )
    .optional(),
  mcp_servers: z.array(server).max(100).optional(),
});

export type RawTeam = z.infer<typeof teamSchema>;
export type RawAgent = z.infer<typeof agent>;

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
