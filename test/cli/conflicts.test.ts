import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oxbow } from "../support/cli.ts";
import { LINES, makeMergeShop, runTeam, TARGET, write } from "../support/merge-team.ts";

const ours = LINES.replace("three", "three by a");
const theirs = LINES.replace("three", "three by b");

test("a person sees what waits, settles it path by path, and the last path lands the branch", async () => {
  using shop = makeMergeShop({
    policy: "merge: { conflicts: escalate }",
    parts: {
      A: { steps: [write("shared/x.txt", ours), write("shared/y.txt", "y by a\n")] },
      B: { steps: [write("shared/x.txt", theirs), write("shared/y.txt", "y by b\n")] },
    },
  });
  const { report } = await runTeam(shop);
  const run = (...args: string[]) => oxbow(["conflicts", ...args], { cwd: shop.dir });

  const listed = await run("list");
  expect(listed.stdout).toBe(
    [
      `7: feature/7/B (theirs, B) into ${TARGET} (ours), asked of eve@example.com`,
      `  It conflicts with ${TARGET} in shared/x.txt, shared/y.txt.`,
      "  shared/x.txt  content  open  agents A, B; owner A",
      "  shared/y.txt  add/add  open  agents A, B; owner A",
      "",
    ].join("\n"),
  );
  const shown = await run("show", "7", "--path", "shared/x.txt");
  expect(shown.stdout).toContain(
    "    ours, line 3\n    < three by a\n    theirs, line 3\n    > three by b\n",
  );
  expect(shown.stdout).toContain("oxbow conflicts take 7 ours|theirs --path shared/x.txt");

  writeFileSync(join(shop.dir, "merged.txt"), theirs);
  const refused = await run("resolve", "7", "--path", "shared/x.txt", "--file", "merged.txt");
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining("shared/x.txt lacks what the target added: `three by a`."),
  ]);
  const waived = await run(
    "resolve",
    "7",
    "--path",
    "shared/x.txt",
    "--file",
    "merged.txt",
    "--waive",
    "three by a",
  );
  expect([waived.code, waived.stdout]).toEqual([
    0,
    'shared/x.txt is settled by the file, giving up "three by a". Still open in feature/7/B: shared/y.txt.\n',
  ]);
  const taken = await run("take", "7", "ours", "--path", "shared/y.txt");
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.stdout).toContain(
    "shared/y.txt is settled by taking ours, giving up theirs. feature/7/B is settled.",
  );
  expect([shop.at(TARGET, "shared/x.txt"), shop.at(TARGET, "shared/y.txt")]).toEqual([theirs, "y by a\n"]);
  expect((await run("list", "--json")).stdout).toBe("[]\n");

  const codes = [];
  for (const args of [
    ["show", "no-such-ticket"],
    ["take", "7", "both", "--path", "shared/x.txt"],
    ["resolve", report.task_id, "--path", "shared/x.txt", "--file", "no-such-file"],
  ]) {
    const { code, stderr } = await run(...args, "--json");
    codes.push([code, JSON.parse(stderr).error.code]);
  }
  expect(codes).toEqual([
    [2, "task_unknown"],
    [2, "usage"],
    [2, "usage"],
  ]);
});
