/** What follows from a crash, for each policy a team may have. */
import { describe, expect, it } from "vitest";
import { parseTeamFile } from "../../src/core/team-file.ts";
import type { Crash, EndedAttempt } from "../../src/store/supervision.ts";
import { attemptLimit, judge } from "../../src/team/supervisor.ts";
import { aChild, aTask } from "../support/store-data.ts";

function team(groups: string, of: Readonly<Record<string, string>> = {}) {
  const agents = ["Lead", "Api", "Web", "Docs"].map(
    (name) => `  - { name: ${name}${of[name] === undefined ? "" : `, group: ${of[name]}`} }\n`,
  );
  return parseTeamFile(`team: T\nlead: Lead\n${groups}agents:\n${agents.join("")}`, "team.yaml");
}

function died(agent: string, atS: number, over: Partial<EndedAttempt> = {}): EndedAttempt {
  return {
    agent,
    crashed: true,
    worker_id: `w${atS}`,
    started_at: (atS - 1) * 1000,
    ended_at: atS * 1000,
    ...over,
  };
}

/** The last of these crashes. */
function crash(log: readonly EndedAttempt[], crashes = 1): Crash {
  const last = log.at(-1) ?? died("Api", 0);
  const { subtask } = aChild("t1", 1, { agent: last.agent });
  const failure = { code: "worker_lost", message: "It died." };
  return { task: aTask("t1"), subtask, attempt: crashes, crashes, failure, log, at: last.ended_at };
}

const names = (judged: ReturnType<typeof judge>) => judged.events.map(({ event }) => event);

describe("an agent without a group", () => {
  const plain = team("");

  it("begins again after 1, 2, 4 … seconds; a stable minute or an end in order forgives", () => {
    const log: EndedAttempt[] = [];
    const delays = [100, 700, 1400, 2100].map((at) => {
      log.push(died("Api", at));
      return judge(plain, crash(log)).delayMs;
    });
    expect(delays).toEqual([1000, 2000, 4000, 8000]);
    const stable = died("Api", 3000, { started_at: 2_900_000 });
    expect(judge(plain, crash([...log, stable])).delayMs).toBe(1000);
    const fine = died("Api", 3000, { crashed: false });
    expect(judge(plain, crash([...log, fine, died("Api", 3001)])).delayMs).toBe(1000);
    expect(judge(plain, crash([...log, died("Web", 3002)])).delayMs).toBe(1000);
  });

  it("is given up when it crashed more than 3 times in 300 s, and the lead is told", () => {
    const log = [10, 100, 200, 310].map((at) => died("Api", at));
    const judged = judge(plain, crash(log));
    expect(judged.disable.map(({ agent }) => agent)).toEqual(["Api"]);
    expect(names(judged)).toEqual(["restart_limit_exceeded", "agent_failed"]);
    expect(judged.forChief).toContain("Api will not be started any more");
    const slow = [10, 100, 200, 311].map((at) => died("Api", at));
    expect(judge(plain, crash(slow)).disable).toEqual([]);
  });

  it("has three attempts at a subtask; the third crash ends it without a wait, and the lead hears of three in a row", () => {
    const log = [10, 20, 30].map((at) => died("Api", at));
    const judged = judge(plain, crash(log, 3));
    expect([attemptLimit(plain, "Api"), judged.delayMs, names(judged)]).toEqual([3, 0, ["agent_failed"]]);
    expect(judged.forChief).toContain("3 times in a row");
  });

  it("crashes once, however many of its conversations go down with one process", () => {
    const log = Array.from({ length: 16 }, () => died("Api", 50));
    const first = judge(plain, crash(log.slice(0, 1)));
    const last = judge(plain, crash(log));
    expect([first.disable, last.disable, last.delayMs]).toEqual([[], [], 1000]);
    const four = [10, 20, 30, 40].flatMap((at) => [died("Api", at), died("Api", at)]);
    expect(judge(plain, crash(four.slice(0, 7))).disable).toHaveLength(1);
  });
});

describe("groups", () => {
  const groups = (policy: string) => `groups:\n  - { name: g, ${policy} }\n`;
  const members = { Api: "g", Web: "g", Docs: "g" };

  it.each([
    ["one_for_one", []],
    ["one_for_all", ["Docs", "Api"]],
    ["rest_for_one", ["Docs"]],
  ])("%s takes along whom OTP takes along", (strategy, together) => {
    const judged = judge(team(groups(`strategy: ${strategy}`), members), crash([died("Web", 10)]));
    expect(judged.restart).toEqual(together);
  });

  it("with a strategy are counted together and given up together; without one each by itself", () => {
    const log = [died("Api", 10), died("Web", 20), died("Docs", 30)];
    const limits = "max_restarts: 2, window_s: 100";
    const together = judge(team(groups(`strategy: one_for_one, ${limits}`), members), crash(log));
    expect(together.disable.map(({ agent }) => agent).sort()).toEqual(["Api", "Docs", "Web"]);
    expect(judge(team(groups(limits), members), crash(log)).disable).toEqual([]);
  });

  it("max_restarts is also a subtask's; temporary has one attempt and counts for nobody", () => {
    expect(attemptLimit(team(groups("max_restarts: 5"), members), "Api")).toBe(6);
    const temporary = team(groups("strategy: one_for_all, restart: temporary"), members);
    const judged = judge(temporary, crash([died("Api", 10)]));
    expect([judged.restart, judged.disable, names(judged)]).toEqual([[], [], ["agent_failed"]]);
  });

  it("critical stops the task at the first crash", () => {
    const judged = judge(team(groups("critical: true"), members), crash([died("Api", 10)]));
    expect(judged.cancelCode).toBe("agent_critical");
    expect(names(judged)).toEqual(["agent_failed", "cancel_requested"]);
  });
});
