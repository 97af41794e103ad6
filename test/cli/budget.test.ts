/** A budget from the command line: shown before and after, kept over a dead process, shared by workers, raised by a person. */
import { describe, expect, it } from "vitest";
import { oxbow, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop } from "../support/shop.ts";
import { CHILDREN, HANDS_OUT } from "../support/split-script.ts";
import { gate, startWorkers } from "../support/workers.ts";

const RUN = ["run", "Add request ids", "--ticket", "146"];
/** Tokens of each answer. */
const ANSWER = 120;

const envFor = (server: ModelServer) => ({
  OPENAI_BASE_URL: server.url,
  OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
});
const looks: ScriptedReply = { calls: [{ name: "list_files", arguments: {} }] };

describe("the budget of a run", () => {
  it("is part of the plan, in place of the team file's where it is given", async () => {
    using shop = makeShop();
    shop.write("team.yaml", `budget: { usd: 5, tokens: 1000 }\n${shop.at("main", "team.yaml")}`);
    const env = { OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl", OPENAI_MODEL: "gpt-5-mini" };
    const planned = await oxbow([...RUN, "--dry-run", "--budget-tokens", "2000"], { cwd: shop.dir, env });
    expect(planned.stdout).toContain("Budget: $5, 2,000 tokens, all together.");
    const wrong = await oxbow([...RUN, "--dry-run", "--budget-usd", "0"], { cwd: shop.dir, env });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("above 0")]);
  });

  it("counts what a process had spent that was killed", async () => {
    using shop = makeShop();
    let first = true;
    const lead = [looks, looks, () => (first ? { hang: true as const } : looks), looks];
    await using server = await startModelServer(scriptByAgent({ Lead: lead }));
    const env = envFor(server);
    const running = startOxbow([...RUN, "--json", "--budget-tokens", "300"], { cwd: shop.dir, env });
    await server.received(3);
    first = false;
    running.kill("SIGKILL");
    await running.ended;
    const ended = await oxbow(["resume", "146", "--json"], { cwd: shop.dir, env });
    const report = reportOf(ended);
    expect(ended.code).toBe(1);
    expect(report["lead"].error.code).toBe("budget_exceeded");
    expect(report["budget"]).toMatchObject({
      limit: { tokens: 300 },
      spent: { tokens: 3 * ANSWER },
      refused: [report["lead"].subtask_id],
    });
    expect(server.requests).toHaveLength(4);

    const shown = await oxbow(["budget", "146"], { cwd: shop.dir });
    expect(shown.stdout).toContain("360 of 300 tokens");
    const more = await oxbow(["budget", "146", "--tokens", "10000", "--json"], { cwd: shop.dir });
    expect(more.lines[0]).toMatchObject({ limit: { tokens: 10_000 }, left: { tokens: 10_000 - 360 } });
    const page = await oxbow(["report", "146", "--format", "html", "--output", "page.html"], {
      cwd: shop.dir,
    });
    expect(page.code).toBe(0);
  });

  it("is one for all workers, and what a person adds is there for the next try", async () => {
    using shop = makeShop();
    const both = gate();
    const opens =
      (reply: ScriptedReply): ScriptedReply =>
      (call) => {
        both.open();
        return typeof reply === "function" ? reply(call) : reply;
      };
    const [api, web, docs] = [CHILDREN.Api, CHILDREN.Web, CHILDREN.Docs];
    const waits: ScriptedReply = async () => {
      await both.opened;
      return looks;
    };
    await using server = await startModelServer(
      scriptByAgent({
        Lead: HANDS_OUT,
        Api: [waits, ...api],
        Web: web.map(opens),
        Docs: docs.map(opens),
      }),
    );
    const env = envFor(server);
    await using workers = await startWorkers(2, shop, env, ["--concurrency", "1"]);
    const limit = 600;
    const run = [...RUN, "--json", "--workers", "only", "--budget-tokens", String(limit)];
    const ended = await oxbow(run, { cwd: shop.dir, env });
    const report = reportOf(ended);
    const { spent, refused } = report["budget"];
    expect(spent.tokens).toBe(server.requests.length * ANSWER);
    expect(spent.tokens).toBeGreaterThanOrEqual(limit);
    expect(spent.tokens).toBeLessThan(limit + 2 * ANSWER);
    expect(refused.length).toBeGreaterThan(0);
    expect(workers.all).toHaveLength(2);

    await oxbow(["budget", "146", "--tokens", "100000"], { cwd: shop.dir });
    const again = await oxbow(["retry", "146", "--json", "--workers", "only"], { cwd: shop.dir, env });
    expect(reportOf(again)["state"]).toBe("completed");
    expect(again.code).toBe(0);
  });
});
