/** `GET /agents`: who can do what, and how they are. */
import { createRoute, z } from "@hono/zod-openapi";
import { access, answers } from "./access.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor, pageOf, pageQuery } from "./pages.ts";

const HEALTH = ["healthy", "degraded", "unavailable"] as const;

const agentSchema = z
  .object({
    name: z.string(),
    team: z.string(),
    skills: z.array(z.string()),
    responsibilities: z.array(z.string()),
    allowed_paths: z.array(z.string()),
    domain: z.string().nullable(),
    runtime: z.string(),
    group: z.string().nullable(),
    critical: z.boolean(),
    health: z.enum(HEALTH).openapi({
      description: "degraded: it crashed and waits to begin again; unavailable: it is not started any more.",
    }),
    state: z.enum(["idle", "processing", "restarting", "failed", "terminated"]),
    load: z
      .object({ working: z.int(), open: z.int() })
      .openapi({ description: "Conversations at work now, and all without an outcome." }),
    sla_ms: z.int().nullable().openapi({ description: "How long an attempt may take, milliseconds." }),
    crashes: z.int(),
    last_crash: z.iso.datetime().nullable(),
    reason: z.string().nullable().openapi({ description: "Why it is not started any more." }),
  })
  .openapi("Agent");

const list = createRoute({
  method: "get",
  path: "/agents",
  tags: ["agents"],
  summary: "The agents of the team, and what they can do.",
  ...access("read"),
  request: {
    query: z.object({
      ...pageQuery,
      domain: name.optional().openapi({ description: "Only those of this domain." }),
      capability: name.optional().openapi({ description: "Only those with this skill." }),
      health: z.enum(HEALTH).optional(),
    }),
  },
  responses: answers(
    z.object({ agents: z.array(agentSchema), next_cursor: nextCursor }).openapi("AgentPage"),
    "A page of agents, in the order of the team.",
  ),
});

export const agentRoutes = ({ app }: Service): Routes =>
  routes().openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    const cards = await app.agentCards(filter);
    const { entries, next_cursor } = pageOf(cards, (card) => card.name, { limit, cursor });
    const agents = entries.map((card) => ({
      ...card,
      skills: [...card.skills],
      responsibilities: [...card.responsibilities],
      allowed_paths: [...card.allowed_paths],
    }));
    return c.json({ agents, next_cursor }, 200);
  });
