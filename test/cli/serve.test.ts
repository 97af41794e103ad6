/** `oxbow serve` and `oxbow token` in processes of their own. */
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, startOxbow } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

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
