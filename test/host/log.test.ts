/** The log tells of the work and is never in its way. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openLog } from "../../src/host/log.ts";

const options = { level: "info", redact: (line: string) => line.replaceAll("secret", "***") } as const;

describe("the log", () => {
  it("is JSON by line, redacted", () => {
    const folder = mkdtempSync(join(tmpdir(), "oxbow-log-"));
    const file = join(folder, "logs", "orchestrator.log");
    const log = openLog({ ...options, file });
    log.info({ task_id: "t1", text: "a secret" }, "told");
    log.close();
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { task_id: "t1", text: "a ***", msg: "told" },
    ]);
    rmSync(folder, { recursive: true });
  });

  it("goes to stderr as well where that is wanted, redacted there too", () => {
    const folder = mkdtempSync(join(tmpdir(), "oxbow-log-"));
    const file = join(folder, "orchestrator.log");
    const module = JSON.stringify(join(import.meta.dirname, "../../src/host/log.ts"));
    const script = `const { openLog } = await import(${module});
      const redact = (line) => line.replaceAll("secret", "***");
      const log = openLog({ level: "info", stderr: true, redact, file: ${JSON.stringify(file)} });
      log.info({ task_id: "t1", subtask_id: "A::t1::1", text: "a secret" }, "told");
      log.close();`;
    const { stderr, stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect([status, stdout]).toEqual([0, ""]);
    expect(JSON.parse(stderr)).toMatchObject({
      task_id: "t1",
      subtask_id: "A::t1::1",
      text: "a ***",
      msg: "told",
    });
    expect(readFileSync(file, "utf8")).toBe(stderr);
    rmSync(folder, { recursive: true });
  });

  it.runIf(existsSync("/dev/full"))(
    "goes without the lines for which the disk has no room, and says so once",
    async () => {
      const warnings: string[] = [];
      const warned = (warning: Error) => void warnings.push(warning.message);
      process.on("warning", warned);
      const log = openLog({ ...options, file: "/dev/full" });
      for (let i = 0; i < 100; i++) log.info({ text: "x".repeat(50_000) }, "told");
      log.close();
      await new Promise(setImmediate);
      process.off("warning", warned);
      expect(warnings).toEqual([expect.stringContaining("The log file /dev/full cannot be written")]);
    },
  );
});
