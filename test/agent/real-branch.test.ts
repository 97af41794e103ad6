/** A model's whole run on a branch of a real repository: through HTTP, the SDK, the tools and Git's object database. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { openRepository } from "../../src/git/repository.ts";
import { builtinTools } from "../../tools/index.ts";
import { createMemoryContext } from "../support/memory-context.ts";
import { scriptByAgent, startModelServer } from "../support/model-server.ts";
import { checkoutDigest, git, gitBytes, sampleRepo, temporaryDir } from "../support/repos.ts";

it("a model edits its branch with every file tool, and the checkout stays as it was", async () => {
  const dir = sampleRepo();
  const before = checkoutDigest(dir);
  await using repo = await openRepository({ path: dir, stateDir: join(temporaryDir(), "state") });
  const base = await repo.resolve("main");
  const branch = await repo.createFreeBranch({ agentName: "Api", ticket: "7", commit: base });
  const ids = { agent: "Api", taskId: "t", subtaskId: "Api::t::1", conversationId: "c", attempt: 1 };
  const files = await repo.openBranch({ branch: branch.name, base, ...ids });
  await using server = await startModelServer(
    scriptByAgent({
      Api: [
        {
          calls: [
            { name: "list_files", arguments: { glob: "src/**" } },
            { name: "search_files", arguments: { pattern: "port = [0-9]+", glob: null } },
            { name: "read_file", arguments: { path: "assets/logo.bin" } },
            { name: "read_file", arguments: { path: "docs/größe.md" } },
          ],
        },
        {
          calls: [
            {
              name: "edit_file",
              arguments: { path: "docs/guide.md", old_string: "one\nLine", new_string: "1\nLine" },
            },
            {
              name: "edit_file",
              arguments: { path: "bin/run.sh", old_string: "echo run", new_string: "echo ran" },
            },
            {
              name: "write_file",
              arguments: { path: "src/api/new.ts", content: "export const fresh = 1;\n" },
            },
            { name: "move_file", arguments: { from: "src/ui/page.ts", to: "src/ui/pages/home.ts" } },
            { name: "delete_file", arguments: { path: "src/api/routes.ts" } },
            { name: "write_file", arguments: { path: "../outside", content: "x" } },
            { name: "diff" },
            { name: "commit", arguments: { message: "Rework the sample" } },
          ],
        },
        { text: "Done." },
      ],
    }),
  );
  const result = await new AgentRunner({ runtime: "openai_agents" }).run({
    agent: "Api",
    instructions: "You are Api.",
    input: "Rework it.",
    model: "m",
    models: createModelSource({ provider: "openai", baseUrl: server.url }),
    tools: builtinTools,
    context: { ...createMemoryContext(), files },
    maxTurns: 5,
    timeoutMs: 60_000,
  });

  expect(result).toMatchObject({ output: "Done." });
  expect(result.error).toBeUndefined();
  expect(server.requests[1]?.lastOutputs).toEqual([
    { files: ["src/api/routes.ts", "src/api/server.ts", "src/ui/page.ts"], total: 3, truncated: false },
    { hits: [{ path: "src/api/server.ts", line: 1, text: "export const port = 8000;" }], truncated: false },
    { ok: false, error: expect.objectContaining({ code: "not_text" }) },
    { path: "docs/größe.md", content: "Unicode names survive.\n", total_lines: 1, next_offset: null },
  ]);
  const [, , , , , refused, diff, commit] = server.requests[2]?.lastOutputs ?? [];
  expect(refused).toMatchObject({ ok: false, error: { code: "path_rejected" } });
  expect(diff).toMatchObject({ diff: expect.stringContaining("+export const fresh = 1;") });
  expect(commit).toMatchObject({
    committed: true,
    branch: branch.name,
    commit: git(dir, "rev-parse", branch.name),
  });
  expect(git(dir, "diff", "--name-status", "--no-renames", "main", branch.name).split("\n")).toEqual([
    "M\tbin/run.sh",
    "M\tdocs/guide.md",
    "A\tsrc/api/new.ts",
    "D\tsrc/api/routes.ts",
    "D\tsrc/ui/page.ts",
    "A\tsrc/ui/pages/home.ts",
  ]);
  expect(gitBytes(dir, "show", `${branch.name}:docs/guide.md`).toString()).toBe("Line 1\r\nLine two\r\n");
  expect(git(dir, "ls-tree", branch.name, "bin/run.sh")).toMatch(/^100755 /);
  expect(checkoutDigest(dir)).toBe(before);
});
