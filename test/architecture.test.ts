import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

/** The table of the house (docs/decisions/0001): who may import whom, and where a library lives. */
const ROOMS: Record<string, { imports: readonly string[]; libraries: readonly string[] }> = {
  core: { imports: [], libraries: ["zod", "micromatch", "yaml"] },
  host: {
    imports: ["core"],
    libraries: [
      "execa",
      "pino",
      "prom-client",
      "@opentelemetry/api",
      "@opentelemetry/exporter-trace-otlp-http",
      "@opentelemetry/resources",
      "@opentelemetry/sdk-trace",
    ],
  },
  git: { imports: ["core", "host"], libraries: ["simple-git"] },
  store: { imports: ["core", "host"], libraries: ["kysely", "pg", "ioredis"] },
  tools: { imports: ["core"], libraries: ["zod"] },
  agent: {
    imports: ["core", "host", "git"],
    libraries: ["@openai/agents", "@modelcontextprotocol/client", "openai", "zod", "yaml"],
  },
  team: { imports: ["core", "host", "git", "store", "agent", "tools"], libraries: ["croner"] },
  app: { imports: ["core", "host", "git", "store", "agent", "tools", "team"], libraries: ["zod"] },
  doors: {
    imports: ["core", "app"],
    libraries: [
      "commander",
      "hono",
      "@hono/node-server",
      "@hono/zod-openapi",
      "@modelcontextprotocol/server",
      "ws",
    ],
  },
};
/** The entry file: it alone knows several doors, and hands the command line their loaders (docs/decisions/0019). */
const ENTRY = "src/doors/main.ts";
const PURE = new Set(["core", "tools"]);
/** What a pure room may use of Node: computation only. */
const PURE_BUILTINS = new Set(["node:crypto"]);

const top = resolve(import.meta.dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(top, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(top, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
}

function roomOf(file: string): string {
  if (file.startsWith("tools/")) return "tools";
  // The composition root and its parts lie directly in src/.
  if (/^src\/[^/]+\.ts$/.test(file)) return "app";
  return file.split("/")[1] ?? "";
}

function imports(file: string): string[] {
  const text = readFileSync(join(top, file), "utf8");
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']\s*\)|^\s*import\s*["']([^"']+)["']/gm,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

const files = [...sources("src"), ...sources("tools")];

describe("the house", () => {
  it("has files to look at in every room", () => {
    const rooms = new Set(files.map(roomOf));
    expect([...rooms].sort()).toEqual(Object.keys(ROOMS).sort());
    expect(files.length).toBeGreaterThan(30);
  });

  it.each(files)("%s imports only what its room may", (file) => {
    const room = ROOMS[roomOf(file)];
    if (!room) throw new Error(`${file} is in no room of the table`);
    for (const name of imports(file)) {
      if (name.startsWith(".")) {
        const target = posix.normalize(posix.join(dirname(file), name));
        const other = roomOf(target);
        const door = (path: string) => path.split("/").slice(0, 3).join("/");
        const isOpen = other !== "doors" || file === ENTRY || door(file) === door(target);
        if (other === roomOf(file) && isOpen) continue;
        expect([...room.imports], `${file} imports ${name}`).toContain(other);
      } else if (name.startsWith("node:") || builtinModules.includes(name)) {
        expect(name, `${file}: write node: before built-in modules`).toMatch(/^node:/);
        if (PURE.has(roomOf(file))) expect([...PURE_BUILTINS], `${file} does I/O`).toContain(name);
      } else {
        const library = name.startsWith("@")
          ? name.split("/").slice(0, 2).join("/")
          : (name.split("/")[0] ?? "");
        expect([...room.libraries], `${file} imports ${name}`).toContain(library);
      }
    }
  });

  it("reads the environment in one file only", () => {
    const readers = files.filter((file) => /\bprocess\.env\b/.test(readFileSync(join(top, file), "utf8")));
    expect(readers).toEqual(["src/host/env.ts"]);
  });

  it("starts processes in one file, and git from one other", () => {
    const text = (file: string) => readFileSync(join(top, file), "utf8");
    const using = (pattern: RegExp) => files.filter((file) => pattern.test(text(file)));
    expect(using(/["'](?:execa|(?:node:)?(?:child_process|cluster))["']/)).toEqual(["src/host/process.ts"]);
    expect(using(/["']simple-git["']/)).toEqual(["src/git/command.ts"]);
    // Whoever can start a process, and the word that would make it git.
    const starters = using(/\b(?:run|startProcess)\b[^;]*?from ["'][^"']*\/process\.ts["']/);
    expect(starters).toContain("src/git/command.ts");
    expect(starters.filter((file) => /["'`]git(?:\.exe)?["'`]/.test(text(file)))).toEqual([
      "src/git/command.ts",
    ]);
  });

  it("keeps files short and has no room for odds and ends", () => {
    const long = files.filter((file) => readFileSync(join(top, file), "utf8").split("\n").length > 400);
    expect(long).toEqual([]);
    expect(files.filter((file) => /(^|\/)(utils?|common|helpers?|shared)(\/|\.ts$)/.test(file))).toEqual([]);
  });
});
