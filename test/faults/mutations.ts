/** Whether the checker sees anything: a finished run is tampered with, and each time it must name the invariant. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { plainEnvironment } from "../support/cli.ts";
import type { Shop } from "../support/shop.ts";
import { check } from "./checker.ts";
import { setStage, type Stage, type Verdict } from "./scene.ts";
import type { Scene } from "./seen.ts";
import { KEY, REFUSED, TICKET } from "./shop-work.ts";

interface Mutation {
  /** What the checker is to name. */
  readonly invariant: string;
  readonly what: string;
  /** Returns what the checker is to be given, where that is not the scene as it was. */
  tamper(stage: Stage, scene: Scene): Scene | void | Promise<Scene | void>;
}

function change(stage: Stage, statement: string): void {
  using db = new DatabaseSync(join(stage.shop.dir, ".git", "oxbow", "oxbow.db"));
  db.exec("pragma foreign_keys = off");
  db.exec(statement);
}

function sql(invariant: string, what: string, statement: string): Mutation {
  return { invariant, what, tamper: (stage) => change(stage, statement) };
}

function ref(invariant: string, what: string, name: string, to: (shop: Shop) => string | null): Mutation {
  return { invariant, what, tamper: ({ shop }) => moveRef(shop, name, to(shop)) };
}

function moveRef(shop: Shop, name: string, oid: string | null): void {
  shop.git("update-ref", ...(oid === null ? ["-d", name] : [name, oid]));
}

function file(invariant: string, what: string, path: readonly string[], content = "x\n"): Mutation {
  return {
    invariant,
    what,
    tamper({ shop }) {
      const at = join(shop.dir, ...path);
      mkdirSync(join(at, ".."), { recursive: true });
      writeFileSync(at, content);
    },
  };
}

/** A commit with one file changed, on top of another. */
function commitOn(shop: Shop, parent: string, path: string, content: string): string {
  const index = join(shop.dir, ".git", "mutation-index");
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: shop.dir,
      env: { ...plainEnvironment(), GIT_INDEX_FILE: index },
      encoding: "utf8",
      input: content,
    }).trim();
  git("read-tree", parent);
  git("update-index", "--add", "--cacheinfo", `100644,${git("hash-object", "-w", "--stdin")},${path}`);
  const commit = git("commit-tree", "-p", parent, "-m", "Tamper", git("write-tree"));
  rmSync(index);
  return commit;
}

const first = "(select min(subtask_id) from outcomes where commit_id is not null)";
const API = "refs/heads/feature/146/Api";
const TARGET = `refs/heads/integration/${TICKET}`;

const MUTATIONS: readonly Mutation[] = [
  sql("I1", "an outcome is gone", `delete from outcomes where subtask_id = ${first}`),
  sql("I1", "a done signal is gone", `delete from topic_entries where event_id like 'done:%'`),
  sql(
    "I1",
    "a signal says something else",
    `update topic_entries set payload = replace(payload, '"completed"', '"failed"')`,
  ),
  sql(
    "I1",
    "a signal was never sent",
    `insert into outbox (topic, event_id, payload, created_at) values ('t', 'e', '{}', 1)`,
  ),
  ref("I2", "a branch that was merged is gone", API, () => null),
  ref("I3", "a ref that is nobody's", "refs/heads/other", (shop) => shop.git("rev-parse", "main").trim()),
  ref("I3", "main has moved", "refs/heads/main", (shop) => shop.git("rev-parse", API).trim()),
  file("I3", "a file in the checkout", ["src", "new.txt"]),
  ref("I4", "a merge is undone", TARGET, (shop) => shop.git("rev-parse", `${TARGET}^`).trim()),
  ref("I4", "something else is merged", TARGET, (shop) => commitOn(shop, TARGET, "docs/other.txt", "x\n")),
  sql(
    "I5",
    "two attempts finished",
    `insert into attempts select subtask_id, 2, token + 1, worker_id, state, ended_at + 5, ended_at + 9, result, failure from attempts where subtask_id = ${first}`,
  ),
  sql(
    "I5",
    "a token did not grow",
    `insert into attempts select subtask_id, 2, token, worker_id, 'lost', ended_at + 5, ended_at + 9, null, null from attempts where subtask_id = ${first}`,
  ),
  sql(
    "I5",
    "two attempts at once",
    `insert into attempts select subtask_id, 2, token + 1, worker_id, 'lost', ended_at - 1, ended_at + 9, null, null from attempts where subtask_id = ${first}`,
  ),
  sql(
    "I6",
    "a second task",
    `insert into tasks select 'other', 'other', title, state, base_ref, base_commit, team, options, body_hash, created_at, updated_at from tasks`,
  ),
  file("I7", "a lock", [".git", "refs", "heads", "main.lock"]),
  file("I7", "a workspace", [".git", "oxbow", "workspaces", "left", "file"]),
  sql("I7", "a lease", `update leases set state = 'held' where subtask_id = ${first}`),
  file("I8", "the key in a file", [".git", "oxbow", "note.txt"], `the key is ${KEY}\n`),
  sql("I8", "the key in an event", `update events set body = replace(body, '"commit"', '"${KEY}"')`),
  sql(
    "I9",
    "a huge value",
    `update outcomes set summary = printf('%.*c', 200000, 'x') where subtask_id = ${first}`,
  ),
  sql(
    "I9",
    "many events",
    `insert into events (task_id, event, body, at) select task_id, 'turn', '{}', 1 from events a, (select 1 from events limit 50)`,
  ),
  file("I9", "a huge file of state", [".git", "oxbow", "logs", "more.log"], "x".repeat(40 << 20)),
  {
    invariant: "I9",
    what: "a process with many files",
    tamper: (_stage, scene) => ({ ...scene, most: { handles: 5000, resident: 0 } }),
  },
  {
    invariant: "I10",
    what: "a critical agent crashed, and all went on",
    tamper(stage, scene) {
      const api = "(select subtask_id from subtasks where agent = 'Api')";
      change(stage, `update attempts set failure = '{}' where subtask_id in ${api}`);
      return { ...scene, critical: "Api" };
    },
  },
  sql("I12", "a commit that no event tells of", `delete from events where event = 'commit'`),
  sql("I12", "a branch that no event tells of", `delete from events where event = 'branch_allocated'`),
  sql("I12", "a merge that no event tells of", `delete from events where event = 'merged'`),
  sql(
    "I12",
    "an end told twice",
    `insert into events (task_id, event, body, at) select task_id, event, body, at from events where event = 'child_finished'`,
  ),
  sql("I12", "an event told and not in the store", `update events set seq = seq + 100000`),
  {
    invariant: "I13",
    what: "half a file",
    tamper(stage) {
      const commit = commitOn(stage.shop, "main", "src/api/part-0.txt", "src/api/");
      moveRef(stage.shop, API, commit);
      change(stage, `update outcomes set commit_id = '${commit}' where agent = 'Api'`);
    },
  },
  sql("I15", "a refusal that nobody sees", `update events set body = replace(body, '${REFUSED.code}', 'x')`),
  ref("I15", "a refused write on a branch", "refs/oxbow/attempts/x/1", (shop) =>
    commitOn(shop, "main", REFUSED.path, "x\n"),
  ),
  {
    invariant: "I7",
    what: "a process",
    async tamper({ shop }) {
      await once(spawn("sleep", ["600"], { cwd: shop.dir, stdio: "ignore" }), "spawn");
    },
  },
];

/** Says which of them the checker did not see. */
export async function playMutations(): Promise<Verdict> {
  await using stage = await setStage(null, { children: 3 });
  const { dir } = stage.shop;
  const copy = join(stage.folder, "as-it-was");
  const run = await stage.run().ended;
  const scene = stage.seen([run]);
  const violations = (await check(scene)).map((each) => `untampered: ${each}`);
  cpSync(dir, copy, { recursive: true });
  for (const { invariant, what, tamper } of MUTATIONS) {
    const given = await tamper(stage, scene);
    const said = await check(given ?? scene);
    if (!said.some((each) => each.startsWith(`${invariant}:`)))
      violations.push(
        `${what} is not seen as a violation of ${invariant}: ${said.join("; ") || "nothing said"}`,
      );
    stage.endAll();
    rmSync(dir, { recursive: true });
    cpSync(copy, dir, { recursive: true, preserveTimestamps: true });
  }
  return { kills: 0, children: 3, violations, note: `${MUTATIONS.length} ways to tamper, each was seen` };
}
