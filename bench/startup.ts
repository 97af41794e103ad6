/** How long a person waits for the first word of the command line. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { environment } from "../src/host/env.ts";
import {
  type Bench,
  GOAL_COLUMNS,
  goalRow,
  inMs,
  mediansOf,
  PLAIN_ENV,
  type Section,
  takeTurns,
  times,
} from "./measure.ts";
import { makeRepository } from "./small-repository.ts";

const LAUNCHER = path.join(import.meta.dirname, "..", "bin", "oxbow.cjs");

/** Start to end of a process, or to the first byte on its stdout. */
async function start(
  binary: string,
  args: readonly string[],
  cwd: string,
  until: "end" | "first line",
): Promise<number> {
  const started = performance.now();
  const child = spawn(binary, args, { cwd, env: PLAIN_ENV, stdio: ["ignore", "pipe", "pipe"] });
  let first = 0;
  let errors = "";
  child.stdout.on("data", () => (first ||= performance.now() - started));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString("utf8")));
  const [code] = (await once(child, "close")) as [number | null];
  const all = performance.now() - started;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${errors}`);
  return until === "end" ? all : first;
}

/** The Node that a shell finds outside of this package, when it is one that has to hand over to the pinned Node. */
function olderNode(): { binary: string; version: string } | null {
  const folders = (environment()["PATH"] ?? "").split(path.delimiter);
  const outside = folders.filter((folder) => !folder.includes("node_modules"));
  const env = { ...PLAIN_ENV, PATH: outside.join(path.delimiter) };
  const code = "process.stdout.write(process.execPath + ' ' + process.versions.node)";
  const answer = spawnSync("/usr/bin/env", ["node", "-e", code], { env, encoding: "utf8" });
  const [, binary, version] = /^(.+) (\d\S+)$/.exec(answer.stdout ?? "") ?? [];
  if (answer.status !== 0 || !binary || !version) return null;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 22 || (major === 22 && minor < 18) ? { binary, version } : null;
}

const RUN = ["run", "Look around", "--by", "owner", "--runtime", "command", "--command", "true", "--json"];

export async function startup(bench: Bench): Promise<Section> {
  const dir = makeRepository(bench.dir, "startup");
  const older = olderNode();
  const node = (...args: string[]) => start(process.execPath, args, dir, "end");
  const oxbow = (...args: string[]) => node(LAUNCHER, ...args);
  const contestants: Record<string, () => Promise<number>> = {
    bare: () => node("-e", "0"),
    help: () => oxbow("--help"),
    owner: () => oxbow("owner", "src/main.ts"),
    status: () => oxbow("status"),
    firstLine: () => start(process.execPath, [LAUNCHER, ...RUN], dir, "first line"),
    ...(older && {
      olderBare: () => start(older.binary, ["-e", "0"], dir, "end"),
      olderHelp: () => start(older.binary, [LAUNCHER, "--help"], dir, "end"),
    }),
  };
  bench.say("startup: once to warm up, then in turns");
  await takeTurns(1, contestants);
  const ms: Partial<Record<string, number>> = mediansOf(await takeTurns(bench.quick ? 5 : 21, contestants));
  const { bare = 0, help = 0, owner = 0, status = 0, firstLine = 0, olderBare, olderHelp } = ms;
  const row = (what: string, took: number) => [what, inMs(took), times(took / bare)];
  return {
    title: "Start-up",
    about:
      "Processes started with the same Node binary on `bin/oxbow.cjs` in a small repository with two agents, after one start each to fill the compile cache.",
    tables: [
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows: [
          goalRow("`oxbow --help`, against `node -e 0`", "≤ 1.5×", times(help / bare), help / bare <= 1.5),
          goalRow("`oxbow owner PATH`", "≤ 4×", times(owner / bare), owner / bare <= 4),
          goalRow("`oxbow status`", "≤ 4×", times(status / bare), status / bare <= 4),
          goalRow("first line of `oxbow run … --json`", "< 300 ms", inMs(firstLine), firstLine < 300),
        ],
      },
      {
        caption: "Time:",
        columns: ["command", "time", "× `node -e 0`"],
        rows: [
          row("`node -e 0`", bare),
          row("`oxbow --help`", help),
          row("`oxbow owner src/main.ts`", owner),
          row("`oxbow status`", status),
          row("`oxbow run … --by owner --json`, to its first line", firstLine),
        ],
      },
    ],
    notes: [
      "Nothing is extrapolated.",
      ...(older && olderBare !== undefined && olderHelp !== undefined
        ? [
            `For information: through a system Node ${older.version}, which hands over to the pinned one, \`oxbow --help\` took ${inMs(olderHelp)} (that Node's \`-e 0\`: ${inMs(olderBare)}).`,
          ]
        : []),
    ],
  };
}
