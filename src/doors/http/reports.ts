/** `GET /tasks/{task_id}/report`: the story of a task or a ticket, as data, as Markdown, or as a page with the river. */
import { createRoute, z } from "@hono/zod-openapi";
import { answersWith, requires } from "./access.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { chosen, JSON_TYPE } from "./media.ts";

const TYPES = { json: JSON_TYPE, html: "text/html", markdown: "text/markdown" } as const;
type Format = keyof typeof TYPES;

const show = createRoute({
  method: "get",
  path: "/tasks/{task_id}/report",
  tags: ["tasks"],
  summary: "What became of a task: its parts, branches, merges, costs.",
  description: "`format` chooses; without it, the Accept header does.",
  middleware: [requires("read")],
  security: [{ token: ["read"] }],
  request: {
    params: z.object({ task_id: name.openapi({ description: "The id of a task, or a ticket." }) }),
    query: z.object({ format: z.enum(["json", "html", "markdown"]).optional() }),
  },
  responses: answersWith(
    {
      "application/json": { schema: z.record(z.string(), z.unknown()) },
      "text/html": { schema: z.string() },
      "text/markdown": { schema: z.string() },
    },
    "As `oxbow report --format` gives it.",
  ),
});

/** The page has its styles with it, and nothing that runs. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

export const reportRoutes = ({ app }: Service): Routes =>
  routes().openapi(show, async (c) => {
    const { format } = c.req.valid("query");
    const offered = Object.values(TYPES);
    const type = format === undefined ? chosen(c.req.header("accept"), offered) : TYPES[format];
    const history = await app.report(c.req.valid("param").task_id);
    switch (formatOf(type)) {
      case "html": {
        const { reportPage } = await import("../../report-page.ts");
        return c.html(reportPage(history), 200, { "content-security-policy": PAGE_POLICY });
      }
      case "markdown": {
        const { reportMarkdown } = await import("../../report-markdown.ts");
        return c.body(reportMarkdown(history), 200, { "content-type": "text/markdown; charset=UTF-8" });
      }
      case "json":
        return c.json({ ...history }, 200);
    }
  });

function formatOf(type: string): Format {
  if (type === TYPES.html) return "html";
  return type === TYPES.markdown ? "markdown" : "json";
}
