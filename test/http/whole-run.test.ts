/** A task from its text to merged work through REST alone, on a real repository, while the service is killed again and again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Running, startOxbow } from "../support/cli.ts";
import {
  type ModelServer,
  scriptByAgent,
  type ScriptedReply,
  startModelServer,
} from "../support/model-server.ts";
import { sending } from "../support/service.ts";
import { makeShop, type Shop, SHOP_TEAM } from "../support/shop.ts";

const TEAM = SHOP_TEAM.replace("lead: Lead\n", "");
const write = (path: string) => ({
  calls: [{ name: "write_file", arguments: { path, content: "people\n" } }],
});
const writes = (path: string): readonly ScriptedReply[] => [write(path), { text: "It is done." }];
const SCRIPT = { Web: writes("src/web/page.js"), Docs: writes("docs/guide.md") };
/** Whose first answer never comes: that is when the service is killed. */
function hangingOnce(path: string): readonly ScriptedReply[] {
  let hangs = true;
  const first = () => {
    if (!hangs) return write(path);
    hangs = false;
    return { hang: true as const };
  };
  return [first, { text: "It is done." }];
}
const BODY = {
  task_id: "feature-1",
  title: "Rename `users` to `people` in src/api/users.js.",
  description: "Show it on src/web/page.js.\nSay so in docs/guide.md.",
  priority: "high",
  metadata: { due_date: "2999-01-01" },
};

let server: ModelServer;
let shop: Shop;
let running: Running;
let url = "";
async function start(): Promise<void> {
  const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
  running = startOxbow(["serve", "--port", "0", "--metrics-port", "0", "--json"], { cwd: shop.dir, env });
  url = (await running.line((line) => "url" in line))["url"];
}
async function killedAndBack(): Promise<void> {
  running.kill("SIGKILL");
  await running.ended;
  await start();
}
async function ask(path: string, body?: object): Promise<{ status: number; value: any }> {
  const answer = await fetch(`${url}${path}`, body === undefined ? {} : sending("POST", body));
  return { status: answer.status, value: await answer.json() };
}
/** The task, once it is so. */
async function once(isSo: (task: any) => boolean): Promise<any> {
  let task: any;
  const look = async () => isSo((task = (await ask("/tasks/feature-1")).value));
  await expect.poll(look, { timeout: 60_000, interval: 100 }).toBe(true);
  return task;
}

beforeEach(async () => {
  server = await startModelServer(scriptByAgent({ ...SCRIPT, Api: hangingOnce("src/api/users.js") }));
  shop = makeShop({ team: TEAM });
  await start();
});
afterEach(async () => {
  running.kill("SIGTERM");
  await running.ended;
  await server[Symbol.asyncDispose]();
  shop[Symbol.dispose]();
});

describe("a task through REST alone", { timeout: 120_000 }, () => {
  it("is planned, begun with a checkpoint, approved, worked on and merged, whenever the service dies", async () => {
    const planned = await ask("/orchestrate", BODY);
    expect([planned.status, planned.value.status]).toEqual([201, "planned"]);
    await killedAndBack();
    const again = await ask("/orchestrate", BODY);
    expect([again.status, again.value.subtasks]).toEqual([200, planned.value.subtasks]);

    const how = { execution_mode: "manual", checkpoints: ["Docs::feature-1::1"] };
    expect((await ask("/execute/feature-1", how)).value).toEqual({ task_id: "feature-1", status: "running" });
    await expect
      .poll(() => server.requests.some(({ agent }) => agent === "Api"), { timeout: 60_000, interval: 50 })
      .toBe(true);
    await killedAndBack();
    const waiting = await once(({ subtasks }) =>
      subtasks.every(
        ({ agent, state }: any) => state === (agent === "Docs" ? "awaiting_approval" : "completed"),
      ),
    );
    expect(waiting.status).toBe("running");
    const { value: asked } = await ask("/approvals?task_id=feature-1");
    const granted = await ask(`/approvals/${asked.approvals[0].approval_id}/grant`, { reason: "Go on." });
    expect(granted.value).toMatchObject({ state: "granted", answer: "Go on." });

    const done = await once(({ ended_at }) => ended_at !== null);
    expect(done).toMatchObject({ status: "completed", metrics: { on_time: true, completed: 3, open: 0 } });
    for (const { outputs, merged } of done.subtasks) {
      expect(merged).toBe(true);
      expect(shop.git("rev-parse", outputs.branch).trim()).toBe(outputs.commit);
    }
    for (const path of ["src/api/users.js", "src/web/page.js", "docs/guide.md"])
      expect(shop.at("integration/feature-1", path)).toBe("people\n");
    const { value: report } = await ask("/tasks/feature-1/report");
    expect(report).toMatchObject({ ticket: "feature-1", state: "completed" });
    expect((await ask("/execute/feature-1", {})).value).toEqual({
      task_id: "feature-1",
      status: "completed",
    });
  });
});
