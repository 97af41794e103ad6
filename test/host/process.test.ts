import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { isAlive, processBirth, run, startProcess } from "../../src/host/process.ts";

const cwd = tmpdir();
const env = { PATH: "/usr/local/bin:/usr/bin:/bin" };
const node = process.execPath;
const script = (code: string): string[] => ["-e", code];

test("output, exit code and stderr come back as they are", async () => {
  const result = await run(node, script("process.stdout.write('a\\n');console.error('b');process.exit(3)"), {
    cwd,
    env,
  });
  expect(result).toMatchObject({ exitCode: 3, signalName: null, timedOut: false, cancelled: false });
  expect(result.stdout.toString()).toBe("a\n");
  expect(result.stderr.toString()).toBe("b\n");
});

test("only the given environment is passed and stdin is closed", async () => {
  const result = await run(
    node,
    script("process.stdin.on('end',()=>console.log(JSON.stringify(Object.keys(process.env)))).resume()"),
    { cwd, env: { ONLY: "1" } },
  );
  expect(JSON.parse(result.stdout.toString())).toEqual(["ONLY"]);
});

test("input reaches the program, and one that does not read it is no error", async () => {
  const echo = await run(node, script("process.stdin.pipe(process.stdout)"), { cwd, env, input: "hello" });
  expect(echo.stdout.toString()).toBe("hello");
  const deaf = await run(node, script("process.exit(0)"), { cwd, env, input: Buffer.alloc(4 << 20) });
  expect(deaf.exitCode).toBe(0);
});

test("output past the cap is dropped, but streamed", async () => {
  let seen = 0;
  const result = await run(node, script("process.stdout.write('x'.repeat(100000))"), {
    cwd,
    env,
    maxOutputBytes: 1000,
    onStdout: (text) => {
      seen += text.length;
    },
  });
  expect(result.stdout.length).toBe(1000);
  expect(result.truncated).toBe(true);
  expect(seen).toBe(100_000);
});

test("a missing program is a value, not a throw", async () => {
  const result = await run("no-such-program-anywhere", [], { cwd, env });
  expect(result).toMatchObject({ exitCode: null, startError: "ENOENT" });
});

test("time-out ends the program and its children", async () => {
  const code = `const c=require('child_process').spawn(process.execPath,['-e','setInterval(()=>{},1e3)'],{stdio:'ignore'});
    process.stdout.write(String(c.pid));setInterval(()=>{},1e3)`;
  const result = await run(node, script(code), { cwd, env, timeoutMs: 1500 });
  expect(result.timedOut).toBe(true);
  const child = Number(result.stdout.toString());
  expect(child).toBeGreaterThan(0);
  await expect.poll(() => isAlive(child)).toBe(false);
});

test("a child left behind by a program that ended does not keep the call open", async () => {
  const code = `const c=require('child_process').spawn(process.execPath,['-e','setInterval(()=>{},1e3)'],{stdio:'inherit'});
    c.unref();process.stdout.write(String(c.pid))`;
  const result = await run(node, script(code), { cwd, env });
  expect(result.exitCode).toBe(0);
  await expect.poll(() => isAlive(Number(result.stdout.toString()))).toBe(false);
});

test("abort cancels, before and during the run", async () => {
  expect(await run(node, script(""), { cwd, env }, AbortSignal.abort())).toMatchObject({ cancelled: true });
  const controller = new AbortController();
  const result = await run(
    node,
    script("console.log('up');setInterval(()=>{},1e3)"),
    { cwd, env, onStdout: () => controller.abort() },
    controller.signal,
  );
  expect(result.cancelled).toBe(true);
});

test("a long-lived process answers until it is closed", async () => {
  const echo = startProcess(node, script("process.stdin.pipe(process.stdout)"), { cwd, env });
  const answer = new Promise<string>((resolve) => {
    echo.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
  });
  echo.stdin.write("ping");
  expect(await answer).toBe("ping");
  await echo.close();
  expect(await echo.exited).toEqual({ exitCode: 0, signalName: null });
});

test("a long-lived process that cannot start says so", async () => {
  const lost = startProcess("no-such-program-anywhere", [], { cwd, env });
  expect((await lost.exited).exitCode).toBe(null);
  await lost.close();
});

test("a process is told from a later one with the same id", async () => {
  expect(processBirth(process.pid)).toBe(processBirth(process.pid));
  expect(processBirth(process.pid)).not.toBe(null);
  const gone = await new Promise<number>((resolve, reject) => {
    run(node, script(""), { cwd, env, onStart: resolve }).catch(reject);
  });
  await expect.poll(() => processBirth(gone)).toBe(null);
});
