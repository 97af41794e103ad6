/** `kill -9` between any two steps of a landing, then what a person does: `--resume`. */
import { expect, it } from "vitest";
import { oxbow } from "../support/cli.ts";
import { endsOf, makeMergeShop, open, TARGET, TICKET, write } from "../support/merge-team.ts";

it.each(["verify.after", "land.planned", "target.moved", "settle.inside"])(
  "a process that is killed at %s loses nothing and lands nothing twice",
  async (point) => {
    const part = (name: string) => ({ steps: [write(`${name}/new.txt`, `from ${name}\n`)] });
    using shop = makeMergeShop({
      parts: { A: part("a"), B: part("b") },
      policy: "verify: [node --version]",
    });
    const env = { ENABLE_ORCHESTRATE_TOOL: "1", TEST_FAIL_POINT: `${point}:1:kill` };
    const args = ["run", "Do it", "--ticket", TICKET, "--script", "script.yaml", "--json"];
    const killed = await oxbow(args, { cwd: shop.dir, env });
    expect(killed.code, killed.stderr).toBeNull();
    await using app = open(shop);
    const merged: (string | undefined)[] = [];
    const report = await app.resume(TICKET, {
      workers: "none",
      onEvent: (event) => void (event.event === "merged" && merged.push(event.source)),
    });
    expect([report.state, endsOf(report)]).toEqual(["completed", ["A landed", "B landed"]]);
    expect(merged).toEqual(["A", "B"]);
    const log = shop.git("log", "--first-parent", "--reverse", "--format=%s", `main..${TARGET}`);
    expect(log.trim().split("\n")).toEqual(
      ["A", "B"].map((name) => `Merge feature/7/${name} into ${TARGET}`),
    );
    const [commit, tree] = shop.git("rev-parse", TARGET, `${TARGET}^{tree}`).trim().split("\n");
    expect(report.verifications.findLast(({ ok }) => ok)?.tree).toBe(tree);
    expect(report.merges.at(-1)?.landed_commit).toBe(commit);
    expect(JSON.parse(shop.git("notes", "--ref=oxbow", "show", TARGET)).verified.tree).toBe(tree);
    expect(shop.git("for-each-ref", "refs/oxbow/queues")).toBe("");
    expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
  },
);
