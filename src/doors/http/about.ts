/** What is served here: the version, the description of the routes, and a page to read it on. */
import { createRoute, z } from "@hono/zod-openapi";
import { access, answers, offers, requires } from "./access.ts";
import { routes, type Routes, type Service } from "./contract.ts";
import { docsPage, docsPolicy } from "./docs-page.ts";
import { JSON_TYPE } from "./media.ts";
import type { OpenApiDocument } from "./openapi.ts";

const versionSchema = z
  .object({ name: z.literal("oxbow"), version: z.string(), api: z.literal("1") })
  .openapi("Version");

const version = createRoute({
  method: "get",
  path: "/version",
  tags: ["service"],
  summary: "Which Oxbow this is.",
  ...access("read"),
  responses: answers(versionSchema, "Its version, and that of these routes."),
});

/** `described` gives the document once all routes are there; the two that show it are not in it. */
export function aboutRoutes(service: Service, described: () => OpenApiDocument): Routes {
  const about = routes();
  about.openapi(version, (c) => c.json({ name: "oxbow", version: service.version, api: "1" } as const, 200));
  about.get("/openapi.json", requires("read"), offers(JSON_TYPE), (c) => c.json(described()));
  about.get("/docs", requires("read"), offers("text/html"), (c) => {
    const html = docsPage(described());
    return c.html(html, 200, { "content-security-policy": docsPolicy(html) });
  });
  return about;
}
