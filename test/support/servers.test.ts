import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { ownServer, type TestServer, withServer } from "./servers.ts";

async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const answered = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answered;
}

const suites = (kind: "postgres" | "redis") => (server: TestServer) => {
  it(`there is a ${kind} for this run`, async () => {
    expect(await answers(server.url)).toBe(true);
  });

  it.runIf(server.own)(
    `a ${kind} of one test comes back at the same address, and is gone at its end`,
    async () => {
      const own = await ownServer(kind);
      expect(own.url).not.toBe(server.url);
      await own.order("kill");
      expect(await answers(own.url)).toBe(false);
      await own.order("start");
      expect(await answers(own.url)).toBe(true);
      await own[Symbol.asyncDispose]();
      expect(await answers(own.url)).toBe(false);
    },
  );

  it.runIf(server.own)(`a ${kind} is gone with its data when its parent is killed`, async () => {
    const start = `import { keepServer } from "./servers-keep.ts";
      const kept = await keepServer("${kind}");
      console.log(JSON.stringify(kept.said));`;
    const parent = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--input-type=module-typescript", "--eval", start],
      { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] },
    );
    const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
    const said = JSON.parse(line) as { url: string; folder: string };
    expect([await answers(said.url), existsSync(said.folder)]).toEqual([true, true]);
    parent.kill("SIGKILL");
    await expect.poll(() => existsSync(said.folder), { timeout: 10_000 }).toBe(false);
    expect(await answers(said.url)).toBe(false);
  });
};

await withServer("postgres", suites("postgres"));
await withServer("redis", suites("redis"));
