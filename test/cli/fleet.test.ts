/** Workers on machines that share no disk: Postgres, Redis and a bare remote are all they have in common. */
import { execFileSync } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import { oxbow, plainEnvironment, type Running, reportOf, startOxbow } from "../support/cli.ts";
import { type Fleet, fleetFolder, type Machine, makeFleet } from "../support/machines.ts";
import { serveGit } from "../support/git-http.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { type TestServer, withServer } from "../support/servers.ts";
import { CHILDREN, LEAD } from "../support/split-script.ts";
import { runSql } from "../support/store-engines.ts";

const RUN = ["run", "Add request ids", "--ticket", "146", "--workers", "only", "--json"];

it("says that repo.url is not used where the tasks are on one machine", async () => {
  using fleet = makeFleet();
  await using server = await startModelServer(scriptByAgent({ Lead: [{ text: "Nothing to do." }] }));
  const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
  const ended = await oxbow(["run", "Look", "--json"], { cwd: fleet.shop.dir, env });
  expect(ended.lines.filter((line) => line["code"] === "remote_unused")).toHaveLength(1);
  expect(fleet.git("for-each-ref", "--format=%(refname)").trim()).toBe("refs/heads/main");
});

const found: TestServer[] = [];
await withServer("redis", (redis) => void found.push(redis));

for (const redis of found) {
  await withServer("postgres", (postgres) => {
    describe("a fleet over Postgres, Redis and a Git remote", () => {
      const shared = (server: { url: string }) => ({
        OPENAI_BASE_URL: server.url,
        OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
        OXBOW_STORE_URL: postgres.url,
        REDIS_URL: redis.url,
      });

      async function started(fleet: Fleet, env: Record<string, string>, machines: readonly Machine[]) {
        const all = machines.map((machine) =>
          startOxbow(["worker", "--concurrency", "2", "--json"], {
            cwd: machine.dir,
            env: { ...env, ...machine.env },
          }),
        );
        const stop = async () => {
          for (const each of all) each.kill("SIGTERM");
          await Promise.all(all.map((each) => each.ended));
          await runSql(postgres, `drop schema if exists ${fleet.schema} cascade`);
        };
        try {
          await Promise.all(all.map((each) => each.line((line) => line["event"] === "worker_started")));
        } catch (error) {
          await stop();
          throw error;
        }
        return { all, [Symbol.asyncDispose]: stop };
      }

      const takerOf = (workers: readonly Running[], agent: string) =>
        Promise.any(
          workers.map(async (each) => {
            await each.line((line) => line["event"] === "conversation_taken" && line["agent"] === agent);
            return each;
          }),
        );

      it("finishes a task that a third machine submitted, though one of two workers is killed half-way", async () => {
        const at = fleetFolder();
        await using web = await serveGit(at.remote);
        using fleet = makeFleet({ ...at, url: web.url });
        fleet.git("config", "http.receivepack", "true");
        const { shop } = fleet;
        let first = true;
        const api: ScriptedReply[] = [
          { calls: [{ name: "write_file", arguments: { path: "src/api/one.js", content: "1\n" } }] },
          { calls: [{ name: "commit", arguments: { message: "Add one" } }] },
          { calls: [{ name: "write_file", arguments: { path: "src/api/two.js", content: "2\n" } }] },
          () => (first ? { hang: true } : { text: "Went on." }),
        ];
        await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN, Api: api }));
        const env = shared(server);
        // Nothing but the team file on one machine; a clone on the other, which stays as it is.
        const machines = [fleet.machine("a", false), fleet.machine("b", true)];
        await using workers = await started(fleet, env, machines);
        const before = shop.fingerprint();
        const run = startOxbow(RUN, { cwd: shop.dir, env });
        await run.line((line) => line["event"] === "work_saved" && line["source"] === "Api");
        // Pushed by the one that is to die: the saved edits too.
        const attempts = "refs/oxbow/attempts";
        await vi.waitFor(
          () =>
            expect(fleet.git("log", "--all", "--format=%s", `--glob=${attempts}`)).toContain(
              "Work in progress of Api",
            ),
          { timeout: 20_000 },
        );
        first = false;
        const victim = await takerOf(workers.all, "Api");
        victim.kill("SIGKILL");
        const ended = await run.ended;
        const report = reportOf(ended);
        expect([ended.code, report["state"]]).toEqual([0, "completed"]);

        const outcomes = ended.lines.filter((line) => line["event"] === "child_finished");
        expect(outcomes.map((line) => line["source"]).sort()).toEqual(["Api", "Docs", "Lead", "Web"]);
        const again = outcomes.find((line) => line["source"] === "Api");
        expect(again?.["result"]).toMatchObject({ outcome: "completed", attempt: 2 });

        const files = shop.git("ls-tree", "-r", "--name-only", "integration/146").trim().split("\n");
        expect(files).toEqual(
          expect.arrayContaining([
            "docs/request-id.md",
            "src/api/one.js",
            "src/api/two.js",
            "src/web/request-id.js",
          ]),
        );
        expect(web.requests.fetches > 0 && web.requests.pushes > 0).toBe(true);
        // The branches are on the remote, and nobody's own were touched.
        const there = fleet.git("for-each-ref", "--format=%(refname:short)", "refs/heads").trim().split("\n");
        expect(there).toEqual([
          "feature/146/Api",
          "feature/146/Docs",
          "feature/146/Web",
          "integration/146",
          "main",
        ]);
        expect(fleet.git("rev-parse", "integration/146")).toBe(shop.git("rev-parse", "integration/146"));
        expect(shop.fingerprint()).toBe(before);
        for (const dir of fleet.repositories())
          expect(
            execFileSync("git", ["fsck", "--full", "--strict", "--no-dangling"], {
              cwd: dir,
              env: plainEnvironment(),
              encoding: "utf8",
              stdio: ["ignore", "pipe", "pipe"],
            }),
          ).toBe("");
        const status = await oxbow(["status", "--json"], { cwd: shop.dir, env });
        expect(status.code).toBe(0);

        // What a worker's machine keeps goes when the remote has it merged; what the dead one never pushed stays.
        for (const each of workers.all) each.kill("SIGTERM");
        await Promise.all(workers.all.map((each) => each.ended));
        for (const [i, { dir, env: own }] of machines.entries()) {
          const mirror = await oxbow(["gc", "--mirror", "--yes", "--json"], {
            cwd: dir,
            env: { ...env, ...own },
          });
          const { gone, stays } = JSON.parse(mirror.stdout);
          expect(gone.filter((each: any) => each.problem !== null)).toEqual([]);
          if (workers.all[i] !== victim)
            expect(stays.filter((each: any) => each.kind === "branch")).toEqual([]);
        }
      }, 120_000);

      it("needs no worker: a run alone pushes its branches and their merge, and nothing to the base", async () => {
        using fleet = makeFleet();
        const { shop } = fleet;
        const main = fleet.git("rev-parse", "main");
        await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN }));
        const env = shared(server);
        await using _cleanup = await started(fleet, env, []);
        // Work may start from a commit that is on no branch of the remote.
        shop.git("commit", "--quiet", "--allow-empty", "--message", "Not pushed");
        const ended = await oxbow(["run", "Add request ids", "--ticket", "146", "--json"], {
          cwd: shop.dir,
          env,
        });
        expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
        expect(fleet.git("rev-parse", "integration/146")).toBe(shop.git("rev-parse", "integration/146"));
        expect(fleet.git("rev-parse", "main")).toBe(main);

        // A person's commit on a branch of an agent, and a branch that Oxbow knows nothing of.
        fleet.git("branch", "feature/146/mine", "main");
        const web = fleet.git("commit-tree", "-p", "feature/146/Web", "-m", "Mine", "feature/146/Web^{tree}");
        fleet.git("update-ref", "refs/heads/feature/146/Web", web.trim());
        const there = () => fleet.git("for-each-ref", "--format=%(refname)").trim().split("\n");
        const all = there();
        const doctor = await oxbow(["doctor", "--json"], { cwd: shop.dir, env });
        expect(JSON.parse(doctor.stdout).find((row: any) => row.check === "remote")).toMatchObject({
          state: "ok",
        });
        const gc = async (...args: string[]) =>
          JSON.parse((await oxbow(["gc", ...args, "--json"], { cwd: shop.dir, env })).stdout);
        const { things } = await gc();
        const remote = things.filter((each: any) => each.kind === "remote");
        const verdict = (name: string) => remote.find((each: any) => each.name === name);
        expect(verdict("refs/heads/feature/146/Api")).toMatchObject({ safe: true });
        expect(verdict("refs/heads/feature/146/Web")).toMatchObject({
          safe: false,
          reason: expect.stringContaining("Merged nowhere on the remote"),
        });
        expect(verdict("refs/heads/feature/146/mine")).toMatchObject({
          safe: false,
          reason: "No row here tells whose it is.",
        });
        expect([verdict("refs/heads/main"), verdict("refs/heads/integration/146")]).toEqual([
          undefined,
          undefined,
        ]);
        expect(there()).toEqual(all);
        const { gone } = await gc("--yes");
        expect(gone.filter((each: any) => each.problem !== null)).toEqual([]);
        expect(there()).toEqual([
          "refs/heads/feature/146/Web",
          "refs/heads/feature/146/mine",
          "refs/heads/integration/146",
          "refs/heads/main",
          expect.stringContaining("refs/oxbow/attempts/Web"),
        ]);
      }, 60_000);
    });
  });
}
