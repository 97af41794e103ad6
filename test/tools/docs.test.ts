import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { builtinTools } from "../../tools/index.ts";

/** The table of tools, from the definitions. */
function table(): string {
  const rows = builtinTools.map(({ name, parameters, flag, description }) => {
    const names = Object.entries(parameters.shape).map(([key, type]) =>
      type instanceof z.ZodOptional ? `${key}?` : key,
    );
    const first = /^[^\n]*?[.:;](?=\s|$)/.exec(description)?.[0] ?? description;
    return `| \`${name}(${names.join(", ")})\` | ${flag === null ? "always on" : `\`${flag}\``} | ${first.replace(/[:;]$/, ".")} |`;
  });
  return ["| tool | flag | what it does |", "|---|---|---|", ...rows].join("\n");
}

it("docs/tools.md lists every tool as the code has it", () => {
  const file = join(import.meta.dirname, "../../docs/tools.md");
  const text = readFileSync(file, "utf8");
  const wanted = text.replace(/(<!-- tools:[^>]*-->\n)[\s\S]*?(<!-- \/tools -->)/, `$1${table()}\n$2`);
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(file, wanted);
  expect(text).toBe(wanted);
});
