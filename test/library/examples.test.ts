import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EXAMPLES, exampleShop } from "../support/examples.ts";
import { startModelServer } from "../support/model-server.ts";
import { say } from "../support/programs.ts";
import { startWorkers } from "../support/workers.ts";

const run = (name: string, cwd: string, env = {}) =>
  say(process.execPath, [join(EXAMPLES, name)], { cwd, env });

describe("examples/", () => {
  it("split.ts fans out, and comes back when a worker has done both parts", async () => {
    using shop = exampleShop();
    await using _workers = await startWorkers(1, shop, {});
    const said = await run("split.ts", shop.dir);
    expect(said).toMatch(/^true\n\[ 'c_\w+', 'c_\w+' \]\n/);
    expect(said.match(/outcome: 'completed'/g)).toHaveLength(2);
    expect(shop.at("feature/task/AgentX".replace("task", ticketOf(said)), "src/app/main.ts")).toContain(
      "// seen",
    );
  });

  it("wait.ts works on its parts itself, the second after the first", async () => {
    using shop = exampleShop();
    const said = await run("wait.ts", shop.dir);
    expect(said).toMatch(/^true \[/);
    expect(said.match(/outcome: 'completed'/g)).toHaveLength(2);
  });

  it("branch.ts allocates a branch and leaves the checkout alone", async () => {
    using shop = exampleShop();
    const before = shop.fingerprint();
    expect(await run("branch.ts", shop.dir)).toBe("feature/146/DevAgent\n");
    expect(shop.git("rev-parse", "feature/146/DevAgent")).toBe(shop.git("rev-parse", "HEAD"));
    expect(shop.fingerprint()).toBe(before);
  });

  it("registry.ts says who owns a file and whom to ask", async () => {
    using shop = exampleShop();
    const said = await run("registry.ts", shop.dir);
    expect(said).toBe("{ agent: 'AgentX', team: 'Example', pattern: 'src/app/**' }\nops@example.com\n");
  });

  it("runner.ts asks a model, which uses the tool", async () => {
    using shop = exampleShop();
    await using server = await startModelServer(({ raw }) =>
      raw.includes("sunny")
        ? { text: "It is sunny in Ulm." }
        : { calls: [{ name: "weather", arguments: { town: "Ulm" } }] },
    );
    const said = await run("runner.ts", shop.dir, { OPENAI_BASE_URL: server.url, OPENAI_MODEL: "local" });
    expect(said).toMatch(/^It is sunny in Ulm\. \d+ null \d+\n$/);
    expect(await run("runner.ts", shop.dir)).toMatch(/^provider_missing No key/);
  });
});

/** The ticket of a task without one is its id. */
function ticketOf(said: string): string {
  return /branch: 'feature\/([^/]+)\/AgentX'/.exec(said)?.[1] ?? "none";
}
