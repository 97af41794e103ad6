/** What git says of a task that has ended: I2, I3, I4, I13, and the half of I15 that must not be there. */
import type { Shop } from "../support/shop.ts";
import { type Rows, text } from "./rows.ts";
import { refsOf, type Scene } from "./seen.ts";
import { REFUSED, TICKET } from "./shop-work.ts";

/** The evidence of `verify:`. */
const NOTES = "refs/notes/oxbow";

/** Every commit that anybody was told of, and what a checkout is. */
export function checkGit({ shop, before }: Scene, rows: Rows, found: string[]): void {
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
    if (before.refs.has(ref) || ref.startsWith("refs/oxbow/") || ref === NOTES) continue;
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
export function checkMerge({ shop, parts, unmerged }: Scene, rows: Rows, found: string[]): void {
  const target = `refs/heads/integration/${TICKET}`;
  const completed = rows.outcomes.filter(
    (row) => row["outcome"] === "completed" && row["commit_id"] !== null,
  );
  if (unmerged === true && refsOf(shop).has(target)) found.push("I4: what was stopped is merged");
  if (completed.length === 0 || unmerged === true) return;
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

/** What was refused is in no commit that anything names. */
export function checkRefusals({ shop, before }: Scene, found: string[]): void {
  const main = before.refs.get("refs/heads/main") ?? "main";
  const touched = shop.git("log", "--all", "--full-history", "--format=%H", `^${main}`, "--", REFUSED.path);
  for (const oid of touched.split("\n").filter(Boolean))
    found.push(`I15: ${oid} changes ${REFUSED.path}, which was refused`);
}
