/** The two runs of the main job with three workers, over whichever engines: their report is as of one process. */
import { describe, expect, it } from "vitest";
import { oxbow, reportOf } from "./cli.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "./model-server.ts";
import { makeShop, type Shop } from "./shop.ts";
import { BROKEN, CHILDREN, LEAD } from "./split-script.ts";
import { startWorkers } from "./workers.ts";

/** Where the state and the topics of one test are; gone with it. */
export interface Place extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

const RUN = ["run", "Add request ids", "--ticket", "146", "--json"];

/** What of a report does not depend on when, and under which ids, it was made. */
function essence(report: Record<string, any>, shop: Shop) {
  const part = ({ agent, outcome, branch, merged, summary, error, usage, cost, kept }: any) => ({
    agent,
    outcome,
    branch,
    merged,
    summary,
    usage,
    cost,
    kept,
    error: error?.code,
  });
  const { state, ticket, title, conflicts, notices, simulated, usage } = report;
  return {
    state,
    ticket,
    title,
    conflicts,
    notices,
    simulated,
    usage,
    tree: shop.git("rev-parse", `${report["integration"].branch}^{tree}`).trim(),
    lead: part(report["lead"]),
    children: report["children"].map(part),
  };
}

export function describeWorkers(engines: string, place: () => Promise<Place>): void {
  describe(`three workers on ${engines}`, () => {
    async function runWithWorkers(script: Record<string, readonly ScriptedReply[]>) {
      await using server = await startModelServer(scriptByAgent(script));
      const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
      using alone = makeShop();
      const single = await oxbow(RUN, { cwd: alone.dir, env });
      await using where = await place();
      using shop = makeShop();
      const before = shop.fingerprint();
      const there = { ...env, ...where.env };
      await using workers = await startWorkers(3, shop, there, ["--concurrency", "1"]);
      const ended = await oxbow(RUN, { cwd: shop.dir, env: there });
      for (const each of workers.all) each.kill("SIGTERM");
      const logs = await Promise.all(workers.all.map((each) => each.ended));
      expect(logs.map((each) => [each.code, each.stderr])).toEqual([0, 0, 0].map((code) => [code, ""]));
      const report = reportOf(ended);
      expect(essence(report, shop)).toEqual(essence(reportOf(single), alone));
      expect(shop.fingerprint()).toBe(before);
      expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
      const taken = logs.flatMap((each) =>
        each.lines.filter((line) => line["event"] === "conversation_taken"),
      );
      return { ended, report, taken };
    }

    it("do the work of a lead that splits in three; the run only watches, and its report is as of one process", async () => {
      const { ended, report, taken } = await runWithWorkers({ Lead: LEAD, ...CHILDREN });
      expect([ended.code, report["state"]]).toEqual([0, "completed"]);
      expect(taken.map((each) => each["agent"]).sort()).toEqual(["Api", "Docs", "Lead", "Web"]);
      const told = ended.lines.filter((line) => line["event"] === "workers");
      expect(told).toMatchObject([{ live: 3, here: false }]);
    });

    it("report a child whose model fails for good as one process does", async () => {
      const { ended, report } = await runWithWorkers({ Lead: LEAD, ...CHILDREN, Web: BROKEN });
      expect([ended.code, report["state"]]).toEqual([1, "partial"]);
    });
  });
}
