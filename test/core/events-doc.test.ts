import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventBodySchema } from "../../src/core/event-schemas.ts";

const top = join(import.meta.dirname, "../..");

it("docs/orchestration/overview.md names no event that does not exist", () => {
  const known = new Set<string>(eventBodySchema.options.map(({ shape }) => shape.event.value));
  const page = readFileSync(join(top, "docs/orchestration/overview.md"), "utf8");
  const [, table = ""] = /<!-- events:[^>]*-->\n([\s\S]*?)<!-- \/events -->/.exec(page) ?? [];
  const rows = table.split("\n").slice(2);
  const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z_]+)`/g)]);
  expect(named.length).toBeGreaterThan(20);
  expect(named.map((match) => match[1] ?? "").filter((name) => !known.has(name))).toEqual([]);
});
