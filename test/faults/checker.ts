/**
 * The outside checker: holds I1–I8 and I12 of a task that has ended against what git, the tables, the topics, the process table and
 * the file system say. Nothing of Oxbow's own code is asked. Returns what is violated, in words; [] when all is well.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { findLeaks } from "../support/leaks.ts";
import type { Shop } from "../support/shop.ts";
import { type Row, type Sql, withRows } from "./rows.ts";
import { KEY, type Part, TICKET } from "./shop-work.ts";

export interface Scene {
  readonly shop: Shop;
  readonly parts: readonly Part[];
  /** Of a Postgres with `?schema=`; undefined: the embedded SQLite. */
  readonly storeUrl: string | undefined;
  /** What every process of the scene has for its temporary files. */
  readonly tmp: string;
  /** Before anything ran. */
  readonly before: { readonly fingerprint: string; readonly refs: ReadonlyMap<string, string> };
  /** Events as processes printed them, one list for each process. */
  readonly printed: readonly (readonly Record<string, any>[])[];
  /** Whether the last list is of a process that saw everything after its first event. */
  readonly lastIsWhole: boolean;
  /** Parts may end in another way than completed (more crashes than a subtask may have, a cancellation). */
  readonly mayFail?: boolean;
}

export function refsOf({ git }: Shop): Map<string, string> {
  const lines = git("for-each-ref", "--format=%(refname) %(objectname)").split("\n").filter(Boolean);
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

export async function check(scene: Scene): Promise<readonly string[]> {
  const found: string[] = [];
  await withRows(scene.shop.dir, scene.storeUrl, async (sql) => {
    const rows = await readAll(sql);
    checkOutcomes(scene, rows, found);
    checkAttempts(rows, found);
    checkEvents(scene, rows, found);
    checkGit(scene, rows, found);
    checkMerge(scene, rows, found);
    checkLeftRows(rows, found);
    await checkSecrets(scene, sql, found);
  });
  checkLeftFiles(scene, found);
  for (const pid of processesOf(scene)) found.push(`I7: process ${pid} is still there`);
  return found;
}

const TABLES = [
  "tasks",
  "subtasks",
  "outcomes",
  "attempts",
  "leases",
  "outbox",
  "topic_entries",
  "events",
] as const;
const MORE = ["workers", "messages"] as const;
type Name = (typeof TABLES)[number] | (typeof MORE)[number];
type Rows = Readonly<Record<Name, readonly Row[]>>;

async function readAll(sql: Sql): Promise<Rows> {
  const read: Partial<Record<Name, readonly Row[]>> = {};
  for (const name of [...TABLES, ...MORE]) read[name] = await sql(`select * from ${name}`);
  return read as Rows;
}

function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
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

function checkAttempts(rows: Rows, found: string[]): void {
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
      if (Number(earlier["ended_at"]) > Number(attempt["started_at"]))
        found.push(`I5: two attempts of ${id} were live at once`);
    });
    if (attempts.filter((row) => row["state"] === "finished").length > 1)
      found.push(`I5: two attempts of ${id} finished`);
  }
}

function checkEvents({ printed, lastIsWhole }: Scene, rows: Rows, found: string[]): void {
  const known = new Map(rows.events.map((row) => [String(row["seq"]), row]));
  const finished = rows.events.filter((row) => row["event"] === "child_finished");
  if (finished.length !== rows.subtasks.length)
    found.push(`I12: ${finished.length} child_finished for ${rows.subtasks.length} subtasks`);
  printed.forEach((lines, i) => {
    const ids = lines.flatMap((line) => (typeof line["id"] === "string" ? [line["id"]] : []));
    ids.forEach((id, at) => {
      if (at > 0 && Number(id) <= Number(ids[at - 1]))
        found.push(`I12: event ${id} was told after ${ids[at - 1]}`);
      if (known.get(id)?.["event"] !== lines.find((line) => line["id"] === id)?.["event"])
        found.push(`I12: event ${id} was told and is not in the store`);
    });
    if (!lastIsWhole || i !== printed.length - 1 || ids.length === 0) return;
    const all = [...known.keys()]
      .filter((id) => Number(id) >= Number(ids[0]))
      .sort((a, b) => Number(a) - Number(b));
    const missing = all.filter((id) => !ids.includes(id));
    if (missing.length > 0)
      found.push(`I12: not told: ${missing.map((id) => `${id} ${text(known.get(id), "event")}`).join(", ")}`);
  });
}

/** Every commit that anybody was told of, and what a checkout is. */
function checkGit({ shop, before }: Scene, rows: Rows, found: string[]): void {
  if (shop.fingerprint() !== before.fingerprint)
    found.push("I3: the user's checkout, index or HEAD has changed");
  const fsck = shop.git("fsck", "--full", "--strict", "--no-dangling");
  if (fsck !== "") found.push(`I13: git fsck says ${fsck}`);
  const reachable = new Set(shop.git("rev-list", "--all").split("\n"));
  /** By subtask: edits that were saved and not committed since. */
  const saved = new Map<string, string>();
  const acknowledged: string[] = [];
  for (const row of [...rows.events].sort((a, b) => Number(a["seq"]) - Number(b["seq"]))) {
    const body: Record<string, string> = JSON.parse(text(row, "body"));
    const { subtask_id = "", commit = "", merge_commit = "" } = body;
    if (row["event"] === "work_saved") saved.set(subtask_id, commit);
    if (row["event"] === "commit") saved.delete(subtask_id);
    if (row["event"] === "commit") acknowledged.push(commit);
    if (row["event"] === "merged") acknowledged.push(commit, merge_commit);
  }
  for (const oid of acknowledged) if (!reachable.has(oid)) found.push(`I2: the commit ${oid} is on no ref`);
  // Committed, and killed before that was told: the same tree is on the branch.
  const trees = new Set(shop.git("log", "--all", "--format=%T").split("\n"));
  for (const oid of saved.values())
    if (!reachable.has(oid) && !trees.has(shop.git("rev-parse", `${oid}^{tree}`).trim()))
      found.push(`I2: the saved edits ${oid} are on no ref`);
  const refs = refsOf(shop);
  for (const [ref, oid] of before.refs) if (refs.get(ref) !== oid) found.push(`I3: ${ref} was moved`);
  const branches = new Set(rows.subtasks.map((row) => `refs/heads/${text(row, "branch")}`));
  for (const ref of refs.keys()) {
    if (before.refs.has(ref) || ref.startsWith("refs/oxbow/")) continue;
    if (ref !== `refs/heads/integration/${TICKET}` && !branches.has(ref))
      found.push(`I3: ${ref} is nobody's`);
  }
  for (const row of rows.outcomes) {
    const [branch, commit] = [text(row, "branch"), text(row, "commit_id")];
    if (commit !== "" && refs.get(`refs/heads/${branch}`) !== commit)
      found.push(`I2: ${branch} is not at ${commit}, the outcome of ${text(row, "subtask_id")}`);
  }
}

/** The integration branch is the base and all completed parts, each merged once. */
function checkMerge({ shop, parts }: Scene, rows: Rows, found: string[]): void {
  const target = `refs/heads/integration/${TICKET}`;
  const completed = rows.outcomes.filter(
    (row) => row["outcome"] === "completed" && row["commit_id"] !== null,
  );
  if (completed.length === 0) return;
  if (!refsOf(shop).has(target)) return void found.push("I4: there is no integration branch");
  const expected = new Map(entriesOf(shop, "main"));
  for (const part of parts) {
    const subtask = rows.subtasks.find((row) => text(row, "brief").includes(part.brief));
    const outcome = completed.find((row) => row["subtask_id"] === subtask?.["subtask_id"]);
    if (!outcome) continue;
    expected.set(part.path, "");
    if (shop.at(text(outcome, "commit_id"), part.path) !== part.content)
      found.push(`I13: ${part.path} is not whole`);
    const own = shop.git("rev-list", "--count", `main..${text(outcome, "commit_id")}`).trim();
    if (own !== "1") found.push(`I5: ${text(outcome, "branch")} has ${own} commits where one was made`);
  }
  const actual = new Map(entriesOf(shop, target));
  for (const path of expected.keys())
    if (!actual.has(path)) found.push(`I4: ${path} is not in the integration`);
  for (const [path, oid] of actual) {
    if (!expected.has(path)) found.push(`I4: ${path} is in the integration and nobody's`);
    else if (expected.get(path) !== "" && expected.get(path) !== oid)
      found.push(`I4: ${path} is not as in main`);
  }
  const merges = shop.git("rev-list", "--first-parent", "--merges", "--parents", `main..${target}`).trim();
  const merged = merges === "" ? [] : merges.split("\n").map((line) => line.split(" ")[2]);
  for (const row of completed) {
    const times = merged.filter((oid) => oid === row["commit_id"]).length;
    if (times !== 1) found.push(`I4: ${text(row, "branch")} was merged ${times} times`);
  }
  if (merged.length !== completed.length)
    found.push(`I4: ${merged.length} merges of ${completed.length} branches`);
}

function entriesOf(shop: Shop, rev: string): [string, string][] {
  const lines = shop.git("ls-tree", "-r", "--full-tree", rev).split("\n").filter(Boolean);
  return lines.map((line) => [line.slice(line.indexOf("\t") + 1), line.split(/\s/)[2] ?? ""]);
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
  for (const table of [...TABLES, ...MORE, "transcripts", "approvals", "status_history"])
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

/** Processes that work in the repository, or were started with its temporary directory. */
export function processesOf({ shop, tmp }: Pick<Scene, "shop" | "tmp">): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const cwd = readlinkSync(`/proc/${name}/cwd`);
      const told = `${readFileSync(`/proc/${name}/cmdline`, "latin1")}\0${readFileSync(`/proc/${name}/environ`, "latin1")}`;
      return cwd.startsWith(shop.dir) || told.includes(shop.dir) || told.includes(tmp) ? [Number(name)] : [];
    } catch {
      // It has ended meanwhile, or is somebody else's.
      return [];
    }
  });
}
