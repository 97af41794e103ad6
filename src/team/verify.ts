/**
 * `verify:` of the team file: its commands in a clone of exactly the commit that is to land, without network unless
 * `verify_network` says otherwise. What they came to is evidence: an event, a part of the report, a Git note.
 */
import { failPoint } from "../host/fail-point.ts";
import { span } from "../host/telemetry.ts";
import { refComponent } from "../core/branch-name.ts";
import type { Verification, VerifyRun } from "../core/merging.ts";
import type { Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { runTeamCommand } from "./team-command.ts";
import { openTaskWorkspace } from "./workspaces.ts";

export type Verified = Pick<Verification, "target" | "commit" | "tree" | "branches">;

/** Throws cancelled, and what a workspace throws. */
export function verify(
  engine: Engine,
  task: Task,
  about: Verified,
  signal: AbortSignal,
): Promise<Verification> {
  const { target, commit } = about;
  return span("oxbow.verify", { "oxbow.target": target, "oxbow.commit": commit }, async (note) => {
    const verification = await runAll(engine, task, about, signal);
    if (!verification.ok) note({ "error.type": "verify_failed" });
    return verification;
  });
}

async function runAll(
  engine: Engine,
  task: Task,
  about: Verified,
  signal: AbortSignal,
): Promise<Verification> {
  const { target, commit, tree, branches } = about;
  await engine.store.append([{ event: "verify_started", task_id: task.task_id, target, commit, branches }]);
  failPoint("verify.before");
  const { workspace, links } = await openTaskWorkspace(
    engine,
    task,
    { commit, branch: target, waiting: (wait) => wait() },
    signal,
  );
  await using place = workspace;
  const runs: VerifyRun[] = [];
  const log = `verify-${refComponent(task.task_id)}.log`;
  for (const command of engine.team.verify) {
    const { verifyNetwork: network } = engine.team;
    const ran = await runTeamCommand(engine, place, { command, binds: links, network, log }, signal);
    runs.push({
      command: ran.shown,
      ok: ran.why === null,
      exit_code: ran.exitCode,
      timed_out: ran.timedOut,
      duration_ms: ran.elapsedMs,
      log: ran.log,
      tail: ran.why === null ? "" : `${ran.shown} ${ran.why}.\n${ran.tail}`.trim(),
    });
    if (ran.why !== null) break;
  }
  const verification = { target, commit, tree, branches, ok: runs.every(({ ok }) => ok), runs };
  await engine.store.append([{ event: "verify_finished", task_id: task.task_id, verification }]);
  failPoint("verify.after");
  return verification;
}

/** What failed, in one line. */
export function failureOf({ runs }: Verification): string {
  const failed = runs.find(({ ok }) => !ok);
  return failed ? (failed.tail.split("\n")[0] ?? failed.command) : "";
}

/** As it stands in the Git note of the commit that landed. */
export function noteOf(task: Task, verification: Verification): string {
  const { target, tree, branches, runs } = verification;
  const evidence = runs.map(({ command, exit_code, duration_ms, log }) => ({
    command,
    exit_code,
    duration_ms,
    log,
  }));
  return JSON.stringify(
    { verified: { task_id: task.task_id, target, tree, branches, commands: evidence } },
    null,
    2,
  );
}
