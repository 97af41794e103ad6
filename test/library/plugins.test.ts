import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openApp } from "oxbow";
import { plainEnvironment } from "../support/cli.ts";
import { startModelServer } from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";
import { SOLO_TEAM } from "../support/team-runs.ts";

const team = (...names: string[]) => `${SOLO_TEAM}plugins: ${JSON.stringify(names)}\n`;
const open = (shop: Shop, env: Readonly<Record<string, string>> = {}) =>
  openApp({ repo: shop.dir, env: plainEnvironment(env) });

/** A plugin with a tool `greet` that answers with `word`. */
const greeting = (word: string) => `import type { OxbowPlugin } from "oxbow";
const plugin: OxbowPlugin = ({ registerTool, z }) => {
  registerTool({
    name: "greet",
    description: "Greets.",
    parameters: z.object({ name: z.string() }),
    run: async ({ name }) => ({ text: ${JSON.stringify(word)} + " " + name }),
  });
};
export default plugin;
`;

/** What the agent wrote after having called `greet`. */
async function greet(
  shop: Shop,
  ticket: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  await using app = open(shop, env);
  const script = join(shop.dir, ".git", `${ticket}.json`);
  const steps = [
    { tool: "greet", arguments: { name: "Ada" } },
    { tool: "write_file", arguments: { path: "said.txt", content: "$last.text" } },
    { say: "Done." },
  ];
  writeFileSync(script, JSON.stringify({ default: steps }));
  const report = await app.run("Greet Ada", { ticket, provider: "scripted", script });
  expect(report.lead).toMatchObject({ outcome: "completed", error: null });
  return shop.at(report.lead?.branch ?? "", "said.txt");
}

/** The error of an app whose plugins are loaded. */
async function refusal(shop: Shop): Promise<{ code: string; message: string; hint: string }> {
  await using app = open(shop);
  return app.team().then(
    () => Promise.reject(new Error("It was loaded.")),
    (error: { code: string; message: string; hint: string }) => error,
  );
}

describe("a plugin's tool", () => {
  it("is called by an agent; the files that the plugin imports come along, and nothing else is read", async () => {
    using shop = makeShop({
      team: team("./tools/oxbow.plugin.ts"),
      files: {
        "tools/oxbow.plugin.ts": `import { greeting } from "../lib/words.ts";
import { readFileSync } from "node:fs";
import { z } from "zod-like";
const name = readFileSync(new URL("./name.txt", import.meta.url), "utf8").trim();
export default ({ registerTool, z: own }) => registerTool({
  name: "greet", description: "Greets.", parameters: own.object({ name: own.string() }),
  run: async (input) => ({ text: greeting + " " + input.name + name + z }),
});
`,
        "tools/name.txt": "!\n",
        "lib/words.ts": "export const greeting: string = 'Hello';\n",
        "lib/broken.ts": "throw new Error('Nobody asked for it.');\n",
        "package.json": "{}",
      },
    });
    const installed = join(shop.dir, "node_modules", "zod-like");
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, "package.json"), '{ "type": "module", "main": "index.js" }');
    writeFileSync(join(installed, "index.js"), "export const z = '?';\n");
    const before = shop.fingerprint();
    expect(await greet(shop, "T1")).toBe("Hello Ada!?");
    expect(shop.fingerprint()).toBe(before);
    const homes = readdirSync(join(shop.dir, ".git/oxbow/plugins"));
    expect(homes).toHaveLength(1);
    const files = readdirSync(join(shop.dir, ".git/oxbow/plugins", homes[0] ?? ""), { recursive: true });
    expect(files.filter((file) => String(file).includes("broken"))).toEqual([]);
  });

  it("is the base commit's, whatever the checkout and the branches of agents say", async () => {
    using shop = makeShop({ team: team("./p.ts"), files: { "p.ts": greeting("Committed") } });
    shop.write("p.ts", greeting("Edited"));
    expect(await greet(shop, "T1")).toBe("Committed Ada");
    // An agent commits another one to its branch: the next run of the ticket still begins with the user's.
    await using app = open(shop);
    const script = join(shop.dir, ".git", "evil.json");
    const steps = [
      { tool: "write_file", arguments: { path: "p.ts", content: greeting("Evil") } },
      { tool: "commit", arguments: { message: "Change the plugin" } },
      { say: "Done." },
    ];
    writeFileSync(script, JSON.stringify({ default: steps }));
    await app.run("Change it", { ticket: "T2", provider: "scripted", script });
    expect(shop.at("feature/T2/Solo", "p.ts")).toContain("Evil");
    expect(await greet(shop, "T2")).toBe("Committed Ada");
    shop.git("commit", "--quiet", "--all", "--message", "Edit the plugin");
    expect(await greet(shop, "T3")).toBe("Edited Ada");
    shop.write("team.yaml", `${team("./p.ts")}repo: { base: HEAD~1 }\n`);
    expect(await greet(shop, "T4")).toBe("Committed Ada");
  });

  it("belongs to one app: another in this process has its own, and lists of tools obey it", async () => {
    using one = makeShop({ team: team("./p.ts"), files: { "p.ts": greeting("One") } });
    using other = makeShop({ team: team("./p.ts"), files: { "p.ts": greeting("Other") } });
    using none = makeShop({ team: SOLO_TEAM });
    expect(await Promise.all([greet(one, "T1"), greet(other, "T1")])).toEqual(["One Ada", "Other Ada"]);
    expect(await greet(one, "T2", { AGENT_TOOLS: "greet,write_file" })).toBe("One Ada");
    await using app = open(none, { AGENT_TOOLS: "greet" });
    const script = join(none.dir, ".git", "nothing.json");
    writeFileSync(script, '{ "default": [{ "say": "Nothing." }] }');
    const report = await app.run("Greet", { ticket: "T1", provider: "scripted", script });
    expect(report.lead?.error).toMatchObject({
      code: "setting_invalid",
      message: expect.stringContaining("greet"),
    });
  });

  it("is found in a package that is installed in the checkout", async () => {
    using shop = makeShop({ team: team("oxbow-plugin-greet"), files: { ".gitignore": "node_modules\n" } });
    const installed = join(shop.dir, "node_modules", "oxbow-plugin-greet");
    mkdirSync(installed, { recursive: true });
    writeFileSync(
      join(installed, "package.json"),
      '{ "name": "oxbow-plugin-greet", "exports": { "import": "./main.mjs" } }',
    );
    writeFileSync(
      join(installed, "main.mjs"),
      `export default ({ registerTool, z }) => registerTool({ name: "greet", description: "Greets.", parameters: z.object({ name: z.string() }), run: async () => ({ text: "Packed" }) });`,
    );
    expect(await greet(shop, "T1")).toBe("Packed");
  });
});

describe("a plugin's agents, strategies and providers", () => {
  it("join the team of the app", async () => {
    using shop = makeShop({
      team: team("./p.mjs"),
      files: {
        "p.mjs": `export default async ({ registerAgent, registerMergeStrategy }) => {
  registerAgent({ name: "Extra", allowedPaths: ["extra/**"] });
  registerMergeStrategy({ name: "first", merge: ([one]) => ({ output: one.output, json: null }) });
};`,
      },
    });
    await using app = open(shop);
    const registry = await app.team();
    expect(registry.get("Extra")).toMatchObject({ team: "Solo", allowedPaths: ["extra/**"] });
    expect(registry.findOwner("extra/a.txt")?.agent).toBe("Extra");
    const says = (output: string) => ({ output, usage: USAGE, cost: 0, elapsed_ms: 1, request_id: null });
    const agents = await app.subAgents({
      runner: { run: async ({ agent }) => ({ ...says(agent), trace_id: "t" }) },
      agents: [{ name: "A" }, { name: "B" }],
    });
    expect((await agents.run({ input: "?", merge: "first" })).output).toBe("A");
  });

  it("are models behind a server that speaks a known format, with a key by name", async () => {
    await using server = await startModelServer(() => ({ text: "Done." }));
    using shop = makeShop({
      team: `${team("./p.mjs")}defaults: { provider: house }\n`,
      files: {
        "p.mjs": `export default ({ registerProvider }) => registerProvider({
  name: "house", wire: "openai_chat", baseUrl: ${JSON.stringify(server.url)}, keyEnv: "HOUSE_KEY", defaultModel: "house-1",
  prices: { "house-1": { input: 1, output: 1 } },
});`,
      },
    });
    await using keyless = open(shop);
    const missing = await keyless.run("Do it", { ticket: "T0" }).catch((error: unknown) => error);
    expect(missing).toMatchObject({
      code: "provider_missing",
      message: expect.stringContaining("HOUSE_KEY"),
    });
    await using app = open(shop, { HOUSE_KEY: "hk-0123456789abcdef" });
    const report = await app.run("Do it", { ticket: "T1" });
    expect(report.lead).toMatchObject({ outcome: "completed", cost: expect.any(Number) });
    expect(server.requests[0]).toMatchObject({ model: "house-1", wire: "chat" });
    expect(server.requests[0]?.headers.authorization).toBe("Bearer hk-0123456789abcdef");
  });

  it("are a function that answers; its failures are a provider's", async () => {
    using shop = makeShop({
      team: `${team("./p.mjs")}defaults: { provider: mine }\n`,
      files: {
        "p.mjs": `let busy = true;
export default ({ registerProvider }) => registerProvider({
  name: "mine",
  answer({ model, instructions, messages, tools }) {
    if (busy) { busy = false; throw Object.assign(new Error("busy"), { status: 503 }); }
    const done = messages.some(({ role, result }) => role === "result" && JSON.parse(result).created === true);
    if (done) return { text: "Written.", usage: { inputTokens: 10, outputTokens: 5 } };
    const content = [model, tools.some(({ name }) => name === "write_file"), instructions.startsWith("You are Solo")].join();
    return { calls: [{ tool: "write_file", arguments: { path: "seen.txt", content } }], usage: { inputTokens: 7, outputTokens: 3 } };
  },
});`,
      },
    });
    await using app = open(shop);
    const report = await app.run("Do it", { ticket: "T1" });
    expect(report.lead).toMatchObject({ outcome: "completed", summary: "Written." });
    expect(report.lead?.usage).toMatchObject({ input_tokens: 17, output_tokens: 8 });
    expect(shop.at("feature/T1/Solo", "seen.txt")).toBe("mine,true,true");
  });
});

const USAGE = { requests: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, total_tokens: 0 };

describe("a plugin that is no good", () => {
  it.each([
    ["is not committed", "./missing.ts", /missing\.ts is not in HEAD/],
    ["throws when it is read", "./throws.ts", /could not be loaded: at once/],
    ["throws when it is called", "./later.ts", /failed: afterwards/],
    ["exports no function", "./shape.ts", /no function as its default export/],
    ["takes a name that is taken", "./taken.ts", /a tool named read_file already/],
    ["registers no tool", "./tool.ts", /no object schema of zod 4/],
    ["imports what is not committed", "./import.ts", /gone\.ts/],
    ["is a symlink", "./link.ts", /no plain file/],
    ["is a package that is not installed", "oxbow-plugin-none", /oxbow-plugin-none/],
  ])("is told by name when it %s", async (_what, name, message) => {
    using shop = makeShop({
      team: team(name),
      files: {
        "throws.ts": "throw new Error('at once');\n",
        "later.ts": "export default async () => { throw new Error('afterwards'); };\n",
        "shape.ts": "export default { registerTool: 1 };\n",
        "taken.ts": greeting("x").replace('"greet"', '"read_file"'),
        "tool.ts":
          "export default ({ registerTool }) => registerTool({ name: 'x', description: '', parameters: {}, run() {} });\n",
        "import.ts": "import './gone.ts';\nexport default () => {};\n",
      },
    });
    symlinkSync("shape.ts", join(shop.dir, "link.ts"));
    shop.git("add", "link.ts");
    shop.git("commit", "--quiet", "--message", "Link");
    const error = await refusal(shop);
    expect(error).toMatchObject({ code: "plugin_failed", message: expect.stringMatching(message) });
    expect(error.message).toContain(name.replace("./", ""));
    // What needs no agents goes on.
    await using app = open(shop);
    expect(await app.status()).toEqual([]);
    await expect(app.cancel("T1")).rejects.toMatchObject({ code: "task_unknown" });
    expect(await app.alerts()).toEqual([]);
  });
});
