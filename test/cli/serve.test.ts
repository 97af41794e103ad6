/** `oxbow serve` and `oxbow token` in processes of their own. */
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, startOxbow } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

const ANYWHERE = ["--port", "0", "--metrics-port", "0", "--json"];

describe("oxbow serve", () => {
  it("says where it listens, answers, and leaves with 0 when it is asked to stop", async () => {
    using shop = makeShop();
    const running = startOxbow(["serve", ...ANYWHERE], { cwd: shop.dir });
    const { url, metrics_url } = await running.line((line) => "url" in line);
    expect(await (await fetch(`${url}/healthz`)).text()).toBe("ok");
    expect(await (await fetch(`${url}/version`)).json()).toMatchObject({
      version: expect.stringMatching(/^\d/),
    });
    expect(await (await fetch(`${metrics_url}/metrics`)).text()).toContain('agent_state{agent="Api"} 1');
    running.kill("SIGTERM");
    const ended = await running.ended;
    expect([ended.code, ended.lines.length]).toEqual([0, 1]);
    expect(ended.stderr).toMatch(new RegExp(`^listening on ${url}$`, "m"));
  });

  it("leaves all work to workers with --no-work, also what a request begins", async () => {
    using shop = makeShop({
      team: SHOP_TEAM.replace(/^ {2}- name: /gm, '  - runtime: command\n    command: ["true"]\n    name: '),
    });
    const running = startOxbow(["serve", "--no-work", ...ANYWHERE], { cwd: shop.dir });
    const { url } = await running.line((line) => "url" in line);
    const begun = await fetch(`${url}/calls/run`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ task: "Tidy up", by: "owner" }),
    });
    const { task_id } = (await begun.json()) as { task_id: string };
    const worker = startOxbow(["worker", "--json"], { cwd: shop.dir });
    const told = await (await fetch(`${url}/tasks/${task_id}/events`)).text();
    const parts = told.match(/^event: child_finished$/gm);
    expect([parts?.length, told.match(/"outcome":"completed"/g)?.length]).toEqual([3, 6]);
    for (const each of [worker, running]) each.kill("SIGTERM");
    const taken = (await worker.ended).lines.filter((line) => line["event"] === "conversation_taken");
    expect(taken.length).toBe(3);
    expect((await running.ended).code).toBe(0);
  });

  it("does not open itself to the network without a token, and says so", async () => {
    using shop = makeShop();
    const refused = await oxbow(["serve", "--host", "0.0.0.0", ...ANYWHERE], { cwd: shop.dir });
    expect([refused.code, refused.stdout, errorOf(refused).code]).toEqual([2, "", "token_required"]);
    const wrong = await oxbow(["serve", "--port", "70000", "--json"], { cwd: shop.dir });
    expect([wrong.code, errorOf(wrong).code]).toEqual([2, "usage"]);
  });
});

it("oxbow token makes one that is shown once, lists what each may do, and takes it back", async () => {
  using shop = makeShop();
  const cli = (...args: string[]) => oxbow(["token", ...args], { cwd: shop.dir });
  const made = await cli("create", "--name", "ci", "--scope", "read", "submit", "--expires", "30d", "--json");
  expect(made.lines[0]).toMatchObject({ name: "ci", scopes: ["read", "submit"], last_used_at: null });
  const token: string = made.lines[0]?.["token"];
  expect(token).toMatch(/^oxb_[0-9a-z]{10}_[\w-]{43}$/);
  const listed = await cli("list");
  expect(listed.stdout).toMatch(/^[0-9a-z]{10} {2}ci: may read, submit; ends in .*; never used\n$/);
  expect(listed.stdout).not.toContain(token.slice(15));
  expect(errorOf(await cli("create", "--name", "ci", "--json")).code).toBe("token_taken");
  expect((await cli("revoke", "ci")).code).toBe(0);
  const again = await cli("revoke", "ci", "--json");
  expect([again.code, errorOf(again).code]).toEqual([2, "token_unknown"]);
});
