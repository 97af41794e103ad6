/** Gates between real processes: what waits for a person outlives whoever waited along. */
import { afterAll, describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { withServer } from "../support/servers.ts";
import { makeShop, type Shop } from "../support/shop.ts";
import { runSql } from "../support/store-engines.ts";
import { startWorkers } from "../support/workers.ts";

const MARK = 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "// seen\\n");';
const agent = (name: string, paths: string) => `  - name: ${name}
    runtime: command
    command: ["node", "-e", ${JSON.stringify(MARK)}, "{paths}"]
    allowed_paths: ["${paths}"]
`;
const TEAM = `team: Shop
window_person: lead@example.com
agents:
${agent("Api", "src/api/**")}${agent("Web", "src/web/**")}`;
const TASK = "Mark src/api/users.js. Then mark src/web/page.js.";

const PLAN = {
  version: 1,
  task: TASK,
  planner: "rules",
  objectives: [TASK],
  constraints: [],
  acceptance_criteria: [],
  scope: [],
  subtasks: [
    part("api", "Api", "src/api/users.js", [], null),
    part("web", "Web", "src/web/page.js", ["api"], "Visitors see it"),
  ],
  mece: { overlaps: [], leftovers: { files: [], total: 0 } },
  notices: [],
};

function part(
  id: string,
  name: string,
  path: string,
  depends_on: readonly string[],
  approval: string | null,
) {
  return {
    id,
    agent: name,
    brief: `Mark ${path}.`,
    responsibilities: [],
    allowed_paths: [path],
    depends_on,
    approval,
  };
}

const json = async (shop: Shop, args: readonly string[], env: Record<string, string> = {}) => {
  const ended = await oxbow([...args, "--json"], { cwd: shop.dir, env });
  return { code: ended.code, value: JSON.parse(ended.stdout || "null"), ended };
};

describe("a gate of a plan", () => {
  it("outlives the run that waited for the answer, and is answered from another terminal", async () => {
    using shop = makeShop({ team: TEAM });
    shop.write("plan.json", JSON.stringify(PLAN));
    const run = startOxbow(["run", "--plan", "plan.json", "--ticket", "7", "--wait", "--json"], {
      cwd: shop.dir,
    });
    const asked = await run.line((line) => line["event"] === "approval_requested");
    expect(asked).toMatchObject({ kind: "gate", agent: "Web", reason: "Visitors see it", paths: [] });
    run.kill("SIGKILL");
    await run.ended;

    const listed = await oxbow(["approvals", "list"], { cwd: shop.dir });
    const id = asked["approval_id"];
    expect(listed.stdout).toContain(`${id} ${asked["subtask_id"]} waits to begin: asked of lead@example.com`);
    expect(listed.stdout).toContain(`oxbow approvals grant ${id}`);
    const shown = await oxbow(["status", "7"], { cwd: shop.dir });
    expect(shown.stdout).toMatch(/Web::\S+ +awaiting_approval/);
    expect(shown.stdout).toContain("waits for a person: oxbow approvals list");
    const retried = await oxbow(["retry", asked["subtask_id"], "--json"], { cwd: shop.dir });
    expect(errorOf(retried)).toMatchObject({
      code: "subtask_active",
      hint: expect.stringContaining("oxbow approvals grant"),
    });

    // Nobody looks on here: the task is handed back, and the exit code says why.
    const handed = await oxbow(["resume", "7"], { cwd: shop.dir });
    expect([handed.code, handed.stdout]).toEqual([
      5,
      expect.stringMatching(
        new RegExp(`waiting: 1 of 2 completed[^]*Answer first: +oxbow approvals grant ${id}`),
      ),
    ]);

    const granted = await oxbow(["approvals", "grant", id], { cwd: shop.dir });
    expect(granted.stdout).toMatch(/may begin\.\nNo process carries the task: oxbow resume /);
    const again = await oxbow(["approvals", "deny", id, "--json"], { cwd: shop.dir });
    expect([again.code, errorOf(again).code]).toEqual([1, "approval_decided"]);
    const ended = await oxbow(["resume", "7", "--json"], { cwd: shop.dir });
    expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
    expect(shop.at("integration/7", "src/web/page.js")).toContain("// seen");
  }, 90_000);
});

await withServer("postgres", (server) => {
  const schema = `oxbow_gates_${process.pid}`;
  const url = new URL(server.url);
  url.searchParams.set("schema", schema);
  const env = { OXBOW_STORE_URL: url.href, OXBOW_LEASE_MS: "2000" };
  afterAll(() => runSql(server, `drop schema if exists ${schema} cascade`));

  describe("a planned task on Postgres", () => {
    it("is carried out by workers, though the one that waited dies, and ends merged", async () => {
      using shop = makeShop({ team: TEAM });
      shop.write("task.json", JSON.stringify({ task_id: "feature-1", title: "Mark it", description: TASK }));
      const planned = await json(shop, ["orchestrate", "task.json"], env);
      expect([planned.code, planned.value.status]).toEqual([0, "planned"]);
      const shown = await oxbow(["status", "feature-1"], { cwd: shop.dir, env });
      expect(shown.stdout).toContain("not begun: oxbow execute feature-1");
      const started = await json(shop, ["execute", "feature-1", "--mode", "manual"], env);
      expect(started.value.subtasks.map((each: any) => each.state)).toContain("awaiting_approval");
      await using first = await startWorkers(1, shop, env);
      first.all[0]?.kill("SIGKILL");
      await first.all[0]?.ended;
      await using second = await startWorkers(1, shop, env);
      const finished = second.all[0]?.line((line) => line["event"] === "task_ended");
      const answered = new Set<string>();
      await expect
        .poll(
          async () => {
            for (const { approval_id, kind } of (await json(shop, ["approvals", "list"], env)).value) {
              expect([kind, answered.has(approval_id)]).toEqual(["gate", false]);
              answered.add(approval_id);
              expect((await json(shop, ["approvals", "grant", approval_id], env)).code).toBe(0);
            }
            return answered.size;
          },
          { timeout: 60_000, interval: 200 },
        )
        .toBe(planned.value.subtasks.length);
      expect(await finished).toMatchObject({ task_id: "feature-1", state: "completed" });
      const again = await json(shop, ["execute", "feature-1"], env);
      expect(again.value).toMatchObject({ status: "completed", metrics: { open: 0 } });
      expect(again.value.subtasks.every((each: any) => each.merged)).toBe(true);
      expect(shop.at("integration/feature-1", "src/api/users.js")).toContain("// seen");
    }, 90_000);
  });
});
