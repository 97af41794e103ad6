/** `/healthz`: whether every critical agent is alive and the service's own work goes on (SPEC E4). It tells nothing else. */
import { createRoute, z } from "@hono/zod-openapi";
import { routes, type Routes, type Service } from "./contract.ts";
import { HEALTH_PATH } from "./pipeline.ts";

/** Anybody may ask, so the rows are looked at once in so long, milliseconds. */
const KEPT_MS = 1_000;

/** The last answer, for `keptMs`; several who ask at once share one. A check that throws is no. */
export function keptAnswer(check: () => Promise<boolean>, keptMs = KEPT_MS): () => Promise<boolean> {
  let answer: { readonly is: Promise<boolean>; readonly at: number } | null = null;
  return () => {
    const now = performance.now();
    if (answer === null || now - answer.at >= keptMs) answer = { is: check().catch(() => false), at: now };
    return answer.is;
  };
}

const text = (description: string, word: string) => ({
  description,
  content: { "text/plain": { schema: z.literal(word) } },
});

const show = createRoute({
  method: "get",
  path: HEALTH_PATH,
  tags: ["service"],
  summary: "Is it well? Needs no token.",
  security: [],
  responses: {
    200: text("Every critical agent is alive.", "ok"),
    503: text("One is not, or the service cannot work.", "unavailable"),
  },
});

export const healthRoutes = (service: Service): Routes =>
  routes().openapi(show, async (c) =>
    (await service.isHealthy()) ? c.text("ok", 200) : c.text("unavailable", 503),
  );
