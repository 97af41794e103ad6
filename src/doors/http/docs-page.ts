/** The description of the routes as one page: written here, without scripts, fonts or pictures from anywhere. */
import { createHash } from "node:crypto";
import { escaped } from "../../markup.ts";
import type { OpenApiDocument } from "./openapi.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import { DOCS_STYLE } from "./docs-style.ts";
import { exampleOf, type JsonSchema, propertyRows, resolver, typeOf } from "./docs-schema.ts";
import { z } from "@hono/zod-openapi";

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

const content = z.record(z.string(), z.object({ schema: z.unknown().optional() }));
const operation = z.object({
  summary: z.string().default(""),
  description: z.string().optional(),
  tags: z.array(z.string()).default([]),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.string(),
        required: z.boolean().default(false),
        description: z.string().optional(),
        schema: z.unknown().optional(),
      }),
    )
    .default([]),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: content.optional() })),
});
type Operation = z.infer<typeof operation>;

interface Shown {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export function docsPage(document: OpenApiDocument): string {
  const shown = operationsOf(document);
  const { title, version, description = "" } = document.info;
  const resolve = resolver(document.components?.schemas ?? {});
  const topics = (document.tags ?? []).map(({ name, description: about = "" }) => ({
    name,
    about,
    routes: shown.filter((each) => each.operation.tags.includes(name)),
  }));
  const menu = topics.flatMap(({ routes }) =>
    routes.map((each) => `<li><a href="#${anchor(each)}">${label(each)}</a></li>`),
  );
  const sections = topics
    .filter(({ routes }) => routes.length > 0)
    .map(
      ({ name, about, routes }) =>
        `<section><h2>${escaped(name)}</h2><p>${words(about)}</p>${routes.map((each) => route(each, resolve)).join("")}</section>`,
    );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} ${escaped(version)}: routes</title><style>${DOCS_STYLE}</style></head><body>
<header><h1>${escaped(title)} <small>${escaped(version)}</small></h1><p>${escaped(description)}</p>
<p>For programs: <a href="openapi.json">openapi.json</a>. Calls from this machine need no token, others
<code>Authorization: Bearer TOKEN</code> (<code>oxbow token create</code>). Failures are <code>application/problem+json</code>
with a <code>code</code> and a <code>hint</code>.</p></header>
<nav aria-label="Routes"><ul>${menu.join("")}</ul></nav>
<main>${sections.join("")}${failures(resolve)}</main></body></html>
`;
}

/** Only the page's own style may apply, and nothing may run or load. */
export function docsPolicy(page: string): string {
  const style = /<style>([^]*?)<\/style>/.exec(page)?.[1] ?? "";
  const hash = createHash("sha256").update(style).digest("base64");
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

function operationsOf({ paths = {} }: OpenApiDocument): readonly Shown[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const parsed = operation.safeParse(item[method]);
      return parsed.success ? [{ method, path, operation: parsed.data }] : [];
    }),
  );
}

type Resolve = (schema: unknown) => JsonSchema;

/** What every route may answer instead. */
function failures(resolve: Resolve): string {
  const schema = { $ref: "#/components/schemas/Problem" };
  return `<section><h2>Failures</h2><article id="problem">${bodies({ [PROBLEM_TYPE]: { schema } }, resolve)}</article></section>`;
}

/** Text in which `code` stands between backquotes. */
function words(text: string): string {
  return escaped(text).replaceAll(/&#96;(.+?)&#96;/g, "<code>$1</code>");
}

const anchor = ({ method, path }: Shown) => `${method}${path.replaceAll(/[^\w]+/g, "-")}`;
const label = ({ method, path }: Shown) =>
  `<b class="${method}">${method.toUpperCase()}</b> <code>${escaped(path)}</code>`;

function route(shown: Shown, resolve: Resolve): string {
  const { summary, description, parameters, requestBody, responses, security = [] } = shown.operation;
  const scopes = security.flatMap((each) => Object.values(each).flat());
  const scope = scopes.length > 0 ? `<p class="scope">Scope: ${escaped(scopes.join(", "))}</p>` : "";
  const inputs = parameters.map(({ name, in: where, required, description: about = "", schema }) => [
    `<code>${escaped(name)}</code>`,
    `${escaped(where)}${required ? ", required" : ""}`,
    escaped(typeOf(resolve(schema), resolve)),
    words(about),
  ]);
  const answers = Object.entries(responses).map(([status, { description: about, content: types = {} }]) =>
    status === "default"
      ? `<h4>Otherwise: <a href="#problem">a problem</a>.</h4>`
      : `<h4>${escaped(status)}: ${words(about)}</h4>${bodies(types, resolve)}`,
  );
  return `<article id="${anchor(shown)}"><h3>${label(shown)}</h3><p>${words(summary)}${
    description === undefined ? "" : ` ${words(description)}`
  }</p>${scope}${table(["parameter", "where", "type", ""], inputs)}${
    requestBody ? `<h4>Body</h4>${bodies(requestBody.content, resolve)}` : ""
  }${answers.join("")}</article>`;
}

function bodies(types: z.infer<typeof content>, resolve: Resolve): string {
  return Object.entries(types)
    .map(([type, { schema }]) => {
      const root = resolve(schema);
      const rows = propertyRows(root, resolve).map((row) => [
        `<code>${escaped(row.path)}</code>${row.required ? "" : " <i>optional</i>"}`,
        escaped(row.type),
        words(row.about),
      ]);
      const example = rows.length > 0 ? JSON.stringify(exampleOf(root, resolve), null, 2) : "";
      const shown =
        example === "" ? "" : `<details><summary>Shape</summary><pre>${escaped(example)}</pre></details>`;
      return `<p class="type">${escaped(type)}</p>${table(["field", "type", ""], rows)}${shown}`;
    })
    .join("");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<div class="wide"><table><thead>${line(head, "th")}</thead><tbody>${rows.map((row) => line(row, "td")).join("")}</tbody></table></div>`;
}
