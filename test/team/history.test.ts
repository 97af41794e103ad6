import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openApp } from "../../src/library.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

const child = (text: string) => [
  { tool: "write_file", arguments: { path: "src/api/users.js", content: `${text}\n` } },
  { tool: "commit", arguments: { message: `Write ${text}` } },
  { say: `Wrote ${text}.` },
];
const SCRIPT = {
  agents: {
    Lead: [
      {
        tool: "orchestrate_split",
        arguments: {
          task: "{{task}}",
          children: ["one", "two"].map((task) => ({ task, agent: "Api" })),
        },
      },
      { tool: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 20_000 } },
      { say: "Both are done." },
    ],
    Api: [
      { when: "one", steps: child("one") },
      { when: "two", steps: child("two") },
    ],
  },
};

it("tells what was merged, what waits for whom, and what was simulated; an earlier task of the ticket stays told", async () => {
  using shop = makeShop({ team: `merge: { conflicts: escalate }\n${SHOP_TEAM}` });
  const dir = mkdtempSync(join(tmpdir(), "oxbow-script-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const script = join(dir, "script.json");
  writeFileSync(script, JSON.stringify(SCRIPT));
  await using app = openApp({ repo: shop.dir, env: plainEnvironment() });
  const run = () => app.run("Write it twice", { ticket: "146", script, workers: "none" });
  await run();

  const story = await app.report("146");
  expect(story).toMatchObject({ ticket: "146", state: "conflict", live: false });
  const [task] = story.tasks;
  expect(task).toMatchObject({ base: { ref: "main" }, simulated: ["scripted"], ended_as: "conflict" });
  const [lead, first, second] = task?.parts ?? [];
  expect(lead).toMatchObject({ agent: "Lead", root: true, verdict: "completed", parent: null });
  expect(first).toMatchObject({
    verdict: "merged",
    merge_state: "landed",
    parent: lead?.subtask_id,
    commits: [{ message: "Write one", files: 1 }],
  });
  expect(first?.merged_at).toBeGreaterThanOrEqual(first?.ended_at ?? Number.POSITIVE_INFINITY);
  expect(second).toMatchObject({
    verdict: "escalated",
    merge_state: "escalated",
    merged_at: null,
    conflicts: [{ path: "src/api/users.js", owners: ["Api"] }],
  });
  expect(second?.reason).toMatch(/conflict/i);
  await expect(app.merge("146")).rejects.toMatchObject({
    code: "unlanded_work",
    message: expect.stringContaining("(waits for a person)"),
  });

  // The second task begins where the first ended.
  await run();
  const both = await app.report("146");
  expect(both.tasks).toHaveLength(2);
  expect(both.tasks[1]?.base.ref).toBe("integration/146");
  const [only] = (await app.report(both.tasks[0]?.task_id ?? "")).tasks;
  expect(only?.parts).toEqual(task?.parts);
  expect((await app.diff("146")).diffs[0]?.base).toBe(task?.base.commit);
});
