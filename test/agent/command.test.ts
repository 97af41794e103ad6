import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandRequest, expandCommand, runCommand } from "../../src/agent/command.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { isAlive } from "../../src/host/process.ts";
import { createSandbox } from "../../src/host/sandbox.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "oxbow-command-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const node = process.execPath;

function request(argv: readonly string[], more: Partial<CommandRequest> = {}): CommandRequest {
  return {
    argv,
    task: "Fix the docs",
    branch: "feature/1/Format",
    paths: null,
    cwd: dir,
    env: { PATH: process.env.PATH ?? "" },
    timeoutMs: 20_000,
    sandbox: createSandbox({ mode: "auto", searchPath: "", folder: dir }),
    confinement: { writable: [dir], named: [node] },
    ...more,
  };
}

const js = (source: string, ...args: string[]) => [node, "-e", source, "--", ...args];
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("a command", () => {
  it("runs in its directory and gives back what it printed last", async () => {
    await writeFile(join(dir, "in.txt"), "hello");
    const lines: string[] = [];
    const result = await runCommand(
      request(
        js(
          "console.log(fs.readFileSync('in.txt','utf8')); console.error('note'); fs.writeFileSync('out.txt','x')",
        ),
        {
          onOutput: (stream, text) => lines.push(`${stream}: ${text}`),
        },
      ),
    );
    expect(result.error).toBeUndefined();
    expect(result).toMatchObject({ output: "hello\n", usage: { requests: 0 }, cost: null, request_id: null });
    expect(lines.sort()).toEqual(["stderr: note\n", "stdout: hello\n"]);
    expect(existsSync(join(dir, "out.txt"))).toBe(true);
  });

  it("gets exactly the environment it was given, a private home that is gone afterwards, and no stdin", async () => {
    const home = join(dir, "home");
    const result = await runCommand(
      request(
        js(
          "fs.writeFileSync(process.env.HOME + '/left', ''); fs.writeFileSync(process.env.TMPDIR + '/left', '');" +
            "console.log(JSON.stringify({ keys: Object.keys(process.env).sort(), stdin: fs.readFileSync(0, 'utf8') }))",
        ),
        { home, env: { PATH: "/usr/bin:/bin", LANG: "C" } },
      ),
    );
    expect(result.error).toBeUndefined();
    const { keys, stdin } = JSON.parse(result.output);
    const ofTheSandbox = ["OXBOW_PROGRAM", "PWD"];
    expect(keys.filter((key: string) => !ofTheSandbox.includes(key))).toEqual([
      "HOME",
      "LANG",
      "PATH",
      "TERM",
      "TMPDIR",
    ]);
    expect(stdin).toBe("");
    expect(existsSync(home)).toBe(false);
  });

  it("is not read by a shell", async () => {
    const show = "console.log(JSON.stringify(process.argv.slice(1)))";
    const words = ["$HOME", "a; touch x", "`id`", "*", "it's", '"', "a && b", "> f"];
    const result = await runCommand(request(js(show, ...words), { task: "$(touch pwned)" }));
    expect(JSON.parse(result.output)).toEqual(words);
    const task = await runCommand(
      request(js(show, "do: {task}", "{branch}"), { task: "a {branch} $(touch pwned)" }),
    );
    expect(JSON.parse(task.output)).toEqual(["do: a {branch} $(touch pwned)", "feature/1/Format"]);
    expect(existsSync(join(dir, "pwned"))).toBe(false);
  });

  it("that fails gives its exit code and the last lines of stderr", async () => {
    const result = await runCommand(
      request(
        js(
          "for (let i = 1; i <= 50; i++) console.error('line ' + i); console.log('partly'); process.exitCode = 3",
        ),
      ),
    );
    expect(result.error).toMatchObject({ code: "command_failed" });
    expect(result.error?.message).toContain("exited with code 3");
    expect(result.error?.message).toContain("line 50");
    expect(result.error?.message).not.toContain("line 20\n");
    expect(result.output).toBe("partly\n");
  });

  it("that is ended by a signal says so", async () => {
    const result = await runCommand(request(js("process.kill(process.pid, 'SIGKILL')")));
    expect(result.error?.message).toContain("was ended by SIGKILL");
  });

  it("that cannot start says why", async () => {
    const missing = await runCommand(request(["no-such-program-here", "x"]));
    expect(missing.error).toMatchObject({ code: "command_invalid" });
    expect(missing.error?.message).toBe(
      "no-such-program-here cannot be run: there is no such program on the PATH.",
    );
    await writeFile(join(dir, "plain"), "not a program", { mode: 0o644 });
    expect((await runCommand(request(["./plain"]))).error?.message).toContain("not executable");
    expect((await runCommand(request([]))).error?.code).toBe("command_invalid");
    expect((await runCommand(request([node, "{task}"], { task: "a\0b" }))).error?.code).toBe(
      "command_invalid",
    );
  });

  it("that takes too long ends with everything it started", async () => {
    const child = "setInterval(() => {}, 1000)";
    const result = await runCommand(
      request(
        js(
          `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}]);` +
            "fs.writeFileSync('pid', String(child.pid)); console.log('started'); setInterval(() => {}, 1000)",
        ),
        { timeoutMs: 1500 },
      ),
    );
    expect(result.error?.code).toBe("timed_out");
    expect(result.output).toBe("started\n");
    const pid = Number(await readFile(join(dir, "pid"), "utf8"));
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid)).toBe(false);
  });

  it("that is cancelled ends at once", async () => {
    const controller = new AbortController();
    const result = await runCommand(
      request(js("console.log('started'); setInterval(() => {}, 1000)"), {
        onOutput: () => controller.abort(),
      }),
      controller.signal,
    );
    expect(result.error?.code).toBe("cancelled");
    expect((await runCommand(request([node]), AbortSignal.abort())).error?.code).toBe("cancelled");
  });

  it("shows no secret, not even one that its output is cut in", async () => {
    const shown: string[] = [];
    const result = await runCommand(
      request(
        js(
          "process.stdout.write('key SEC'); setTimeout(() => { process.stdout.write('RET\\n'); console.error('SECRET'); process.exitCode = 1 }, 50)",
        ),
        {
          redactor: createRedactor({ known: ["SECRET"] }),
          onOutput: (_stream, text) => shown.push(text),
        },
      ),
    );
    expect(JSON.stringify([result, shown])).not.toContain("SECRET");
    expect(result.output).toBe("key [REDACTED]\n");
  });

  it("keeps only the end of a long output", async () => {
    const result = await runCommand(
      request(js("for (let i = 1; i <= 100000; i++) console.log('line ' + i)")),
    );
    expect(result.output.length).toBeLessThanOrEqual(8010);
    expect(result.output).toMatch(/^…\nline \d+\n/);
    expect(result.output).toMatch(/line 100000\n$/);
  });
});

describe("the paths of a command", () => {
  const expand = (argv: readonly string[], paths: readonly string[]) =>
    expandCommand({ argv, task: "t", branch: "b", paths });

  it("are one argument each as a word of their own, and joined by blanks inside a word", () => {
    expect(expand(["fmt", "--write", "{paths}"], ["a b", "c"])).toEqual([["fmt", "--write", "a b", "c"]]);
    expect(expand(["claude", "-p", "Fix {paths}: {task}"], ["a", "b"])).toEqual([
      ["claude", "-p", "Fix a b: t"],
    ]);
    expect(expand(["fmt", "{paths}"], ["-rf", "--x"])).toEqual([["fmt", "./-rf", "./--x"]]);
    expect(expand(["fmt", "{paths}"], [])).toEqual([["fmt"]]);
    expect(expand(["fmt"], ["a"])).toEqual([["fmt"]]);
  });

  it("are run in batches under 100 kB that together are all of them, in order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 12 }),
        (lengths) => {
          const paths = lengths.map((length, index) => `${index}/`.padEnd(length + 3, "p"));
          const calls = expand(["fmt", "{paths}"], paths);
          expect(calls.flatMap(([, ...args]) => args)).toEqual(paths);
          for (const [, ...args] of calls) {
            expect(args.length).toBeGreaterThan(0);
            expect(args.reduce((sum, arg) => sum + arg.length + 1, 0)).toBeLessThanOrEqual(100_000);
          }
        },
      ),
    );
  });

  it("stop at the first batch that fails", async () => {
    const paths = ["a", "b", "c"].map((name) => name.repeat(60_000));
    const source =
      "const c = process.argv[1][0]; fs.writeFileSync('ran-' + c, ''); if (c === 'b') process.exitCode = 9";
    const result = await runCommand(request(js(source, "{paths}"), { paths }));
    expect(result.error?.message).toContain("exited with code 9");
    expect(["a", "b", "c"].map((name) => existsSync(join(dir, `ran-${name}`)))).toEqual([true, true, false]);
  });

  it("are refused inside one word when they are too many, and may not choose the program", () => {
    expect(() => expand(["fmt", "x {paths}"], ["p".repeat(100_001)])).toThrow(code("command_invalid"));
    expect(() => expand(["{task}"], [])).toThrow(code("command_invalid"));
  });
});
