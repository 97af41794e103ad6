import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { describeSettings, parseSettings } from "../src/core/settings.ts";

const top = resolve(import.meta.dirname, "..");

/** The README's table of settings, from the one table there is. */
function settingsTable(): string {
  const rows = describeSettings(parseSettings({})).map(
    (row) => `| \`${row.name}\` | ${row.default === "" ? "(empty)" : row.default} | ${row.description} |`,
  );
  return ["| setting | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

describe("the documentation", () => {
  it("lists every setting as the code has it", () => {
    const file = join(top, "README.md");
    const text = readFileSync(file, "utf8");
    const wanted = text.replace(
      /(<!-- settings:[^>]*-->\n)[\s\S]*?(<!-- \/settings -->)/,
      `$1${settingsTable()}\n$2`,
    );
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(file, wanted);
    expect(text).toBe(wanted);
  });

  it.each(["README.md", "docs/INDEX.md", "AGENTS.md"])("%s links only to what is there", (name) => {
    const text = readFileSync(join(top, name), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? "");
    for (const link of links)
      expect(existsSync(join(top, dirname(name), link)), `${name} → ${link}`).toBe(true);
  });

  it("keeps AGENTS.md short", () => {
    expect(readFileSync(join(top, "AGENTS.md"), "utf8").split(/\s+/).length).toBeLessThanOrEqual(700);
  });
});
