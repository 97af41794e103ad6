/** What was told, against the rows and against git: I12, and the half of I15 that must be there. */
import { type Row, type Rows, text } from "./rows.ts";
import { refsOf, type Scene } from "./seen.ts";
import { PROGRAM_AGENT, REFUSED, TICKET } from "./shop-work.ts";

export function checkEvents(scene: Scene, rows: Rows, found: string[]): void {
  checkTold(scene, rows, found);
  checkFacts(scene, rows, found);
}

/** Nothing was told that is not so; who watched without dying was told everything, in order. */
function checkTold({ printed, lastIsWhole }: Scene, rows: Rows, found: string[]): void {
  const known = new Map(rows.events.map((row) => [String(row["seq"]), row]));
  printed.forEach((lines, i) => {
    const ids = lines.flatMap((line) => (typeof line["id"] === "string" ? [line["id"]] : []));
    const told = new Map(lines.map((line) => [line["id"], line["event"]]));
    ids.forEach((id, at) => {
      if (at > 0 && Number(id) <= Number(ids[at - 1]))
        found.push(`I12: event ${id} was told after ${ids[at - 1]}`);
      if (known.get(id)?.["event"] !== told.get(id))
        found.push(`I12: event ${id} was told and is not in the store`);
    });
    if (!lastIsWhole || i !== printed.length - 1 || ids.length === 0) return;
    const all = [...known.keys()]
      .filter((id) => Number(id) >= Number(ids[0]))
      .sort((a, b) => Number(a) - Number(b));
    const missing = all.filter((id) => !told.has(id));
    if (missing.length > 0)
      found.push(`I12: not told: ${missing.map((id) => `${id} ${text(known.get(id), "event")}`).join(", ")}`);
  });
}

type Body = Readonly<Record<string, unknown>>;

/** Everything that became so has its event, whoever died in between. */
function checkFacts(scene: Scene, rows: Rows, found: string[]): void {
  const bodies = new Map<string, Body[]>();
  for (const row of rows.events) {
    const of = bodies.get(text(row, "event")) ?? [];
    bodies.set(text(row, "event"), of);
    of.push(JSON.parse(text(row, "body")));
  }
  const events = (name: string) => bodies.get(name) ?? [];
  const named = (name: string, key: string) => new Set(events(name).map((body) => body[key]));
  const [started, allocated, refused] = [
    named("child_started", "subtask_id"),
    named("branch_allocated", "branch"),
    named("refused", "subtask_id"),
  ];
  const refs = refsOf(scene.shop);
  for (const subtask of rows.subtasks) {
    const [id, branch] = [text(subtask, "subtask_id"), text(subtask, "branch")];
    for (const name of ["child_announced", "child_finished"]) {
      const times = events(name).filter((body) => body["subtask_id"] === id).length;
      if (times !== 1) found.push(`I12: ${name} of ${id} is there ${times} times`);
    }
    const outcome = rows.outcomes.find((row) => row["subtask_id"] === id);
    checkFinished(id, outcome, events("child_finished"), found);
    if (outcome?.["outcome"] !== "completed") continue;
    if (!started.has(id)) found.push(`I12: ${id} is completed, and no child_started tells of it`);
    if (refs.has(`refs/heads/${branch}`) && !allocated.has(branch))
      found.push(`I12: no branch_allocated tells of ${branch}`);
    const asked = events("tool_result").some(
      (body) => body["subtask_id"] === id && body["ok"] === false && body["code"] === REFUSED.code,
    );
    const asks = Number(subtask["root"]) === 0 && text(subtask, "agent") !== PROGRAM_AGENT;
    if (asks && scene.refusals !== false && !asked && !refused.has(id))
      found.push(`I15: the write of ${id} to ${REFUSED.path} was refused, and no event shows it`);
  }
  checkCommits(scene, rows, named("commit", "commit"), named("merged", "commit"), found);
  for (const task of rows.tasks)
    if (["completed", "failed", "cancelled", "needs_review"].includes(text(task, "state")))
      if (events("task_finished").length !== 1)
        found.push(`I12: task_finished is there ${events("task_finished").length} times`);
}

function checkFinished(
  id: string,
  outcome: Row | undefined,
  finished: readonly Body[],
  found: string[],
): void {
  const told = finished.find((body) => body["subtask_id"] === id);
  if (told && told["outcome"] !== outcome?.["outcome"])
    found.push(`I12: child_finished of ${id} says ${String(told["outcome"])}`);
}

function checkCommits(
  { shop, before }: Scene,
  rows: Rows,
  commits: ReadonlySet<unknown>,
  merged: ReadonlySet<unknown>,
  found: string[],
): void {
  const refs = refsOf(shop);
  const main = before.refs.get("refs/heads/main") ?? "main";
  for (const subtask of rows.subtasks) {
    const branch = text(subtask, "branch");
    const tip = refs.get(`refs/heads/${branch}`);
    if (tip === undefined) continue;
    for (const oid of shop.git("rev-list", `${main}..${tip}`).split("\n").filter(Boolean))
      if (!commits.has(oid)) found.push(`I12: no commit event tells of ${oid} on ${branch}`);
  }
  const target = refs.get(`refs/heads/integration/${TICKET}`);
  if (target === undefined) return;
  const merges = shop.git("rev-list", "--first-parent", "--merges", "--parents", `${main}..${target}`);
  for (const line of merges.split("\n").filter(Boolean)) {
    const source = line.split(" ")[2];
    if (!merged.has(source)) found.push(`I12: no merged event tells of ${source}`);
  }
}
