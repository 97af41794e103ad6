import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startOxbow } from "../support/cli.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "oxbow-policy-"));
  mkdirSync(join(root, "sub"));
  symlinkSync("/etc", join(root, "sub/out"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const check = (...args: string[]) => startOxbow(["policy", "check", ...args], { cwd: root }).ended;

it("says yes, no and why in one JSON value, and by its exit code", async () => {
  const yes = await check("--command", "git log --oneline -5", "--allow", "git", "--json");
  expect(yes).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(yes.stdout)).toEqual({ allowed: true, reason: expect.any(String), code: "ok" });
  const no = await check("--allow", "git", "ls", "--command", "ls; id", "--json");
  expect(no).toMatchObject({ code: 1, stderr: "" });
  expect(JSON.parse(no.stdout)).toEqual({
    allowed: false,
    reason: expect.stringContaining(";"),
    code: "operator",
  });
});

it("allows nothing that is not listed, and lets a denial win", async () => {
  expect((await check("--command", "ls", "--json")).lines[0]).toMatchObject({ code: "not_allowed" });
  const denied = await check("--command", "git log -p", "--allow", "git,ls", "--deny", "git log", "--json");
  expect(denied.lines[0]).toMatchObject({ allowed: false, code: "denied" });
});

it("goes by the settings of the terminal tool when no list is given", async () => {
  const env = { TERMINAL_ALLOWED_COMMANDS: "git, ls", TERMINAL_DENY_COMMANDS: "git log" };
  const judge = async (...args: string[]) => {
    const { lines } = await startOxbow(["policy", "check", ...args, "--json"], { cwd: root, env }).ended;
    return lines[0]?.["code"];
  };
  expect(await judge("--command", "git status")).toBe("ok");
  expect(await judge("--command", "git log")).toBe("denied");
  expect(await judge("--command", "git log", "--allow", "git log")).toBe("denied");
  expect(await judge("--command", "cat x")).toBe("not_allowed");
  expect(await judge("--command", "ls", "--allow", "cat")).toBe("not_allowed");
});

it("looks at the files below --root, and runs nothing", async () => {
  const at = (line: string) =>
    check("--command", line, "--allow", "cat", "touch *", "--root", root, "--json");
  expect((await at("cat sub/out/passwd")).lines[0]).toMatchObject({ code: "symlink_outside" });
  expect((await at("touch made")).lines[0]).toMatchObject({ allowed: true });
  expect(existsSync(join(root, "made"))).toBe(false);
});

it("says what to do about a call that cannot be answered", async () => {
  const missing = await check("--json");
  expect(missing.code).toBe(2);
  expect(JSON.parse(missing.stderr).error).toMatchObject({ code: "usage" });
  const nowhere = await check("--command", "ls", "--root", join(root, "nowhere"), "--json");
  expect(nowhere.code).toBe(2);
  expect(JSON.parse(nowhere.stderr).error).toMatchObject({ code: "usage" });
  const text = await check("--command", "git push", "--allow", "git");
  expect(text).toMatchObject({ code: 1 });
  expect(text.stdout).toContain("denied (subcommand)");
});
