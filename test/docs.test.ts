import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { describeSettings, parseSettings } from "../src/core/settings.ts";
import { parseTeamFile } from "../src/core/team-file.ts";
import { eventTables, toolTable } from "./support/event-doc.ts";
import { region } from "./support/examples.ts";
import { operationsTable } from "./support/person-doc.ts";
import { teamTables } from "./support/team-doc.ts";

const top = resolve(import.meta.dirname, "..");

/** The README's table of settings, from the one table there is. */
function settingsTable(): string {
  const rows = describeSettings(parseSettings({})).map(
    (row) => `| \`${row.name}\` | ${row.default === "" ? "(empty)" : row.default} | ${row.description} |`,
  );
  return ["| setting | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

/** What stands between `<!-- name: … -->` and `<!-- /name -->`; UPDATE_DOCS=1 writes it anew. */
function keepsInStep(name: string, section: string, wanted: string): void {
  const file = join(top, name);
  const text = readFileSync(file, "utf8");
  const [before, after] = [`<!-- ${section}:`, `<!-- /${section} -->`];
  const start = text.indexOf("-->\n", text.indexOf(before)) + "-->\n".length;
  const end = text.indexOf(after);
  expect(text.includes(before) && end >= start, `${name} has the marks of ${section}`).toBe(true);
  const whole = `${text.slice(0, start)}${wanted}\n${text.slice(end)}`;
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(file, whole);
  expect(text).toBe(whole);
}

describe("the documentation", () => {
  it("lists every setting as the code has it", () => {
    keepsInStep("README.md", "settings", settingsTable());
  });

  it("lists every key of team.yaml as the schema has it", () => {
    keepsInStep("docs/team-yaml.md", "keys", teamTables());
  });

  it("lists every event and every tool's arguments as the schemas have them", () => {
    const page = "docs/orchestration/overview.md";
    keepsInStep(page, "events", eventTables());
    keepsInStep(page, "arguments", toolTable());
  });

  it("lists every operation of a person as the code has it", () => {
    keepsInStep("docs/mcp.md", "operations", operationsTable());
  });

  it.each([
    ["split", "split.ts", ["split", "fan-in"]],
    ["branch", "branch.ts", ["branch"]],
    ["registry", "registry.ts", ["registry"]],
  ] as const)("shows the example %s as it runs", (name, file, regions) => {
    const code = regions.map((each) => region(file, each)).join("\n\n");
    keepsInStep("README.md", `example ${name}`, `\`\`\`ts\n${code}\n\`\`\``);
  });

  it.each(["README.md", "docs/team-yaml.md"])("%s shows a team.yaml that is valid", (name) => {
    const text = readFileSync(join(top, name), "utf8");
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
    expect(parseTeamFile(example, name).agents.length).toBeGreaterThan(1);
  });

  it.each([
    "README.md",
    "CONTRIBUTING.md",
    "docs/INDEX.md",
    "docs/team-yaml.md",
    "docs/orchestration/overview.md",
    "docs/observability.md",
    "docs/mcp.md",
    "AGENTS.md",
  ])("%s links only to what is there", (name) => {
    const text = readFileSync(join(top, name), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? "");
    for (const link of links)
      expect(existsSync(join(top, dirname(name), link)), `${name} → ${link}`).toBe(true);
  });

  it("keeps AGENTS.md short", () => {
    expect(readFileSync(join(top, "AGENTS.md"), "utf8").split(/\s+/).length).toBeLessThanOrEqual(700);
  });
});
