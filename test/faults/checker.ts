/**
 * The outside checker: holds the invariants of a task that has ended against what git, the tables, the topics, the process
 * table and the file system say. Nothing of Oxbow's own code is asked. Returns what is violated, in words; [] when all is well.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { findLeaks } from "../support/leaks.ts";
import { checkBounds } from "./check-bounds.ts";
import { checkEvents } from "./check-events.ts";
import { checkGit, checkMerge, checkRefusals } from "./check-git.ts";
import { readAll, type Row, type Rows, type Sql, TABLES, text, withRows } from "./rows.ts";
import { processesOf } from "./processes.ts";
import { refsOf, type Scene } from "./seen.ts";
import { KEY, TICKET } from "./shop-work.ts";

export async function check(scene: Scene): Promise<readonly string[]> {
  const found: string[] = [];
  await withRows(scene.shop.dir, scene.storeUrl, async (sql) => {
    const rows = await readAll(sql);
    checkOutcomes(scene, rows, found);
    checkCritical(scene, rows, found);
    checkAttempts(scene, rows, found);
    checkEvents(scene, rows, found);
    checkGit(scene, rows, found);
    checkMerge(scene, rows, found);
    checkRefusals(scene, found);
    checkLeftRows(rows, found);
    await checkBounds(scene, rows, sql, found);
    await checkSecrets(scene, sql, found);
  });
  checkLeftFiles(scene, found);
  for (const pid of processesOf(scene)) found.push(`I7: process ${pid} is still there`);
  return found;
}

/** I10: a critical agent crashed, so nothing went on after it. */
function checkCritical({ critical, shop }: Scene, rows: Rows, found: string[]): void {
  const ids = rows.subtasks.filter((row) => row["agent"] === critical).map((row) => row["subtask_id"]);
  const crashed = rows.attempts.some((row) => ids.includes(row["subtask_id"]) && row["failure"] !== null);
  if (!crashed) return void (critical === undefined || found.push(`I10: ${critical} never crashed`));
  for (const row of rows.outcomes) {
    const outcome = text(row, "outcome");
    if (
      outcome !== "completed" &&
      (outcome !== "cancelled" || !text(row, "error").includes("agent_critical"))
    )
      found.push(`I10: ${text(row, "subtask_id")} ended ${outcome}: ${text(row, "error")}`);
  }
  for (const row of rows.tasks)
    if (row["state"] !== "needs_review") found.push(`I10: the task is ${text(row, "state")}`);
  const again = rows.attempts.filter((row) => ids.includes(row["subtask_id"]) && Number(row["attempt"]) > 1);
  if (again.length > 0) found.push(`I10: ${critical} was started again`);
  if (refsOf(shop).has(`refs/heads/integration/${TICKET}`)) found.push("I10: something was merged");
}

function checkOutcomes({ parts, mayFail }: Scene, rows: Rows, found: string[]): void {
  if (rows.tasks.length !== 1) found.push(`I6: ${rows.tasks.length} tasks where one was submitted`);
  const children = rows.subtasks.filter((row) => Number(row["root"]) === 0);
  if (children.length !== parts.length)
    found.push(`I1: ${children.length} children of ${parts.length} announced`);
  for (const part of parts) {
    const of = children.filter((row) => text(row, "brief").includes(part.brief));
    if (of.length !== 1) found.push(`I1: "${part.brief}" was given to ${of.length} children`);
  }
  for (const subtask of rows.subtasks) {
    const [id, conversation] = [text(subtask, "subtask_id"), text(subtask, "conversation_id")];
    const outcomes = rows.outcomes.filter((row) => row["subtask_id"] === id);
    if (outcomes.length !== 1) found.push(`I1: ${id} has ${outcomes.length} outcomes`);
    const signals = rows.topic_entries.filter((row) => row["topic"] === subtask["done_topic"]);
    if (signals.length !== 1) found.push(`I1: ${id} has ${signals.length} done signals`);
    const said: Row = JSON.parse(text(signals[0], "payload") || "{}");
    if (said["outcome"] !== outcomes[0]?.["outcome"] || said["commit"] !== outcomes[0]?.["commit_id"])
      found.push(
        `I1: the signal of ${id} says ${JSON.stringify(said)}, its outcome ${text(outcomes[0], "outcome")}`,
      );
    const announced = rows.topic_entries.filter((row) => row["event_id"] === `announce:${conversation}`);
    if (announced.length !== 1) found.push(`I1: ${id} was announced ${announced.length} times`);
    if (mayFail !== true && outcomes[0]?.["outcome"] !== "completed")
      found.push(`I1: ${id} ended ${text(outcomes[0], "outcome")}: ${text(outcomes[0], "error")}`);
  }
}

function checkAttempts({ clockJumps }: Scene, rows: Rows, found: string[]): void {
  for (const subtask of rows.subtasks) {
    const id = text(subtask, "subtask_id");
    const attempts = rows.attempts
      .filter((row) => row["subtask_id"] === id)
      .sort((a, b) => Number(a["attempt"]) - Number(b["attempt"]));
    attempts.forEach((attempt, i) => {
      const earlier = attempts[i - 1];
      if (Number(attempt["attempt"]) !== i + 1) found.push(`I5: ${id} has no attempt ${i + 1}`);
      if (attempt["ended_at"] === null) found.push(`I5: attempt ${i + 1} of ${id} never ended`);
      if (!earlier) return;
      if (Number(earlier["token"]) >= Number(attempt["token"]))
        found.push(`I5: a token of ${id} did not grow`);
      if (clockJumps !== true && Number(earlier["ended_at"]) > Number(attempt["started_at"]))
        found.push(`I5: two attempts of ${id} were live at once`);
    });
    if (attempts.filter((row) => row["state"] === "finished").length > 1)
      found.push(`I5: two attempts of ${id} finished`);
  }
}

function checkLeftRows(rows: Rows, found: string[]): void {
  if (rows.outbox.length > 0) found.push(`I1: ${rows.outbox.length} signals were never sent`);
  const open = rows.leases.filter((row) => row["state"] !== "done");
  for (const row of open) found.push(`I7: ${text(row, "subtask_id")} is still ${text(row, "state")}`);
  const unread = rows.messages.filter((row) => row["acked_at"] === null && row["type"] !== "chat");
  if (unread.length > 0) found.push(`I1: ${unread.length} messages are not acknowledged`);
  for (const row of rows.tasks)
    if (["planned", "running"].includes(text(row, "state")))
      found.push(`I7: the task is ${text(row, "state")}`);
}

async function checkSecrets({ shop, printed }: Scene, sql: Sql, found: string[]): Promise<void> {
  const texts: Record<string, string> = Object.fromEntries(
    printed.map((lines, i) => [`output ${i}`, JSON.stringify(lines)]),
  );
  for (const table of [...TABLES, "transcripts", "approvals", "status_history"])
    texts[table] = JSON.stringify(await sql(`select * from ${table}`));
  for (const { where } of findLeaks(shop.dir, { key: KEY }, texts)) found.push(`I8: the key is in ${where}`);
}

function checkLeftFiles({ shop, tmp }: Scene, found: string[]): void {
  const gitDir = join(shop.dir, ".git");
  const files = readdirSync(gitDir, { recursive: true, encoding: "utf8" });
  for (const file of files) {
    // Drafts of objects stay, as git's own do, until `git gc`.
    if (/\.lock$/.test(file)) found.push(`I7: .git/${file} is left`);
    if (/^oxbow\/workspaces\/./.test(file)) found.push(`I7: .git/${file} is left`);
  }
  for (const name of readdirSync(tmp))
    if (name !== "node-compile-cache") found.push(`I7: ${name} is left in the temporary directory`);
}
