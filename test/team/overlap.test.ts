import { expect, it } from "vitest";
import { sharedPaths } from "../../src/team/overlap.ts";
import { LINES, makeMergeShop, open, runTeam, say, TICKET, write } from "../support/merge-team.ts";

it("tells at the split which files several parts may write, by the real files", () => {
  const part = (agent: string, ...allowed_paths: string[]) => ({ agent, allowed_paths });
  const files = ["a/1", "a/2", "b/1", "README.md"];
  expect(sharedPaths(files, [part("A", "a/**"), part("B", "b/**")])).toBeNull();
  expect(sharedPaths(files, [part("A", "a/**"), part("B", "**/1"), part("C", "c/**")])).toEqual({
    agents: ["A", "B"],
    paths: ["a/1"],
  });
  expect(sharedPaths(files, [part("A", "b/**"), part("B", "b/**")])?.paths).toEqual(["b/1"]);
  expect(sharedPaths(files, [part("A", "**")])).toBeNull();
});

it("tells both agents as soon as their branches would conflict, while they are at work; status shows it", async () => {
  const commit = { tool: "commit", arguments: { message: "Change" } };
  const change = (by: string) => [write("shared/x.txt", LINES.replace("two", `two by ${by}`)), commit];
  // Each waits for the signal on its own conversation: it comes only because of the other's commit.
  using shop = makeMergeShop({
    parts: {
      A: { steps: [...change("a"), write("a/more.txt", "more\n"), commit, say("Done.")] },
      B: { steps: [...change("b"), write("b/more.txt", "more\n"), commit, say("Done.")] },
      C: { steps: [write("c/new.txt", "c\n")] },
    },
    policy: "merge: { conflicts: escalate }",
  });
  const { events } = await runTeam(shop);
  const found = events.flatMap((event) => (event.event === "overlap_found" ? [event] : []));
  expect(found[0]).toMatchObject({ branches: [], paths: ["shared/x.txt"] });
  expect([...(found[0]?.agents ?? [])].sort()).toEqual(["A", "B"]);
  const live = found.find(({ branches }) => branches.length > 0);
  expect([...(live?.branches ?? [])].sort()).toEqual(["feature/7/A", "feature/7/B"]);
  expect(live?.paths).toEqual(["shared/x.txt"]);
  await using app = open(shop);
  const conversations = events.flatMap((event) =>
    event.event === "child_announced" && ["A", "B"].includes(event.agent) ? [event.conversation_id] : [],
  );
  for (const conversation of conversations)
    expect(await app.signalWait(`signal:${conversation}:overlap`, null, 1)).toMatchObject({
      ok: true,
      message: { event: "overlap", paths: ["shared/x.txt"] },
    });
  const [status] = await app.status(TICKET);
  expect(status?.overlaps.length).toBeGreaterThanOrEqual(2);
});
