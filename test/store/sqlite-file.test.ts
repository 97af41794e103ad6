import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ERRORS } from "../../src/core/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { aChild, anOutcome, aTask } from "../support/store-data.ts";

describe("a store's file", () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "oxbow-store-"));
    file = join(folder, "oxbow.db");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const url = () => `sqlite:${file}`;

  it.each([
    "",
    "sqlite:",
    "sqlite:oxbow.db",
    "sqlite:./a.db",
    "mysql://u:secret@h/db",
    "/abs.db",
    "redis://x",
  ])("is not opened for the URL %j", async (bad) => {
    const error: unknown = await openStore({ url: bad }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "store_unsupported", hint: ERRORS.store_unsupported.hint });
    expect(String(error)).not.toContain("secret");
  });

  it("loads nothing of the servers it does not use", async () => {
    const script = `
      const { openStore } = await import("./src/store/open.ts");
      const store = await openStore({ url: ${JSON.stringify(url())} });
      await store.topics.publish("a", 1);
      await store[Symbol.asyncDispose]();
      const { createRequire } = await import("node:module");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify(loaded.filter((path) => /node_modules.(?:pg|ioredis)/.test(path))));`;
    const options = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script];
    const top = join(import.meta.dirname, "../..");
    expect(JSON.parse(execFileSync(process.execPath, options, { cwd: top, encoding: "utf8" }))).toEqual([]);
  });

  it("says so when it is no database", async () => {
    await writeFile(file, "hello, I am a text file and long enough to look like something\n".repeat(50));
    await expect(openStore({ url: url() })).rejects.toMatchObject({
      code: "store_failed",
      message: expect.stringContaining(`${file} is not an Oxbow store`),
    });
  });

  it("says so when it is damaged", async () => {
    const store = await openStore({ url: url() });
    await store[Symbol.asyncDispose]();
    const bytes = await import("node:fs/promises").then((fs) => fs.readFile(file));
    bytes.fill(0xee, 100, 4096);
    await writeFile(file, bytes);
    await expect(openStore({ url: url() })).rejects.toMatchObject({
      code: "store_failed",
      message: expect.stringContaining("is damaged"),
    });
  });

  it("says so when the path cannot hold a file", async () => {
    for (const bad of ["/dev/null/oxbow.db", folder, "/proc/oxbow/oxbow.db"]) {
      const error: unknown = await openStore({ url: `sqlite:${bad}` }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "store_failed", message: expect.stringContaining(bad) });
    }
  });

  it("waits for another program that has it locked, and says so when that never ends", async () => {
    await (await openStore({ url: url() }))[Symbol.asyncDispose]();
    using other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    await expect(openStore({ url: url(), busyMs: 30 })).rejects.toMatchObject({
      code: "store_failed",
      message: expect.stringContaining("is locked by another program"),
    });
    const opening = openStore({ url: url(), busyMs: 10_000 });
    setTimeout(() => other.exec("COMMIT"), 30);
    await (await opening)[Symbol.asyncDispose]();
  });

  it("is refused when a newer Oxbow made it", async () => {
    await (await openStore({ url: url() }))[Symbol.asyncDispose]();
    using other = new DatabaseSync(file);
    other.exec("INSERT INTO migrations VALUES (999, 'from the future', 0)");
    await expect(openStore({ url: url() })).rejects.toMatchObject({
      code: "store_failed",
      message: expect.stringContaining("newer Oxbow"),
    });
  });

  it("leaves one file behind when it is closed", async () => {
    const store = await openStore({ url: url() });
    await store.topics.publish("a", 1);
    await store[Symbol.asyncDispose]();
    const { readdir } = await import("node:fs/promises");
    expect(await readdir(folder)).toEqual(["oxbow.db"]);
  });

  it("holds who changed which state, and when", async () => {
    let now = 100;
    const store = await openStore({ url: url(), now: () => now });
    await store.submit(aTask("t"), [aChild("t", 1), aChild("t", 2, { dependsOn: [1] })], []);
    now = 200;
    await store.setTaskState("t", "needs_review", []);
    await store.setTaskState("t", "needs_review", []);
    const lease = await store.claim({ workerId: "w", leaseMs: 10 });
    if (!lease) throw new Error("a child is free");
    now = 300;
    await store.finish(lease, anOutcome(lease.subtask), {}, []);
    await store[Symbol.asyncDispose]();
    using raw = new DatabaseSync(file);
    const rows = raw.prepare("SELECT * FROM status_history ORDER BY seq").all();
    expect(
      rows.map((row) => [row["subtask_id"], row["from_state"], row["to_state"], row["who"], row["at"]]),
    ).toEqual([
      [null, null, "running", "submit", 100],
      ["Api::t::1", null, "planned", "Lead", 100],
      ["Api::t::2", null, "blocked", "Lead", 100],
      [null, "running", "needs_review", "engine", 200],
      ["Api::t::1", "planned", "running", "w", 200],
      ["Api::t::1", "running", "completed", "w", 300],
      ["Api::t::2", "blocked", "planned", "w", 300],
    ]);
    const acked = raw.prepare("SELECT acked_at FROM messages ORDER BY seq").all();
    expect(acked.map((row) => row["acked_at"])).toEqual([300, null]);
    const attempts = raw.prepare("SELECT state, attempt, token, ended_at FROM attempts").all();
    expect(attempts.map((row) => ({ ...row }))).toEqual([
      { state: "finished", attempt: 1, token: 1, ended_at: 300 },
    ]);
  });
});
