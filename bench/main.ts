/**
 * `npm run bench`: measures Oxbow against named peers in the same run and writes bench/RESULTS.md.
 * `-- --only NAME` (repeatable) and `-- --quick` print what they measure and write nothing.
 */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { editing } from "./editing.ts";
import { type Bench, git, markdown, type Part } from "./measure.ts";
import { merging } from "./merging.ts";
import { overhead } from "./overhead.ts";
import { ownership } from "./ownership.ts";
import { rateLimit } from "./rate-limit.ts";
import { service } from "./service.ts";
import { signals } from "./signals.ts";
import { startup } from "./startup.ts";
import { workspaces } from "./workspaces.ts";

const PARTS: Readonly<Record<string, Part>> = {
  editing,
  merging,
  startup,
  overhead,
  signals,
  service,
  ownership,
  "rate-limit": rateLimit,
  workspaces,
};

const { values } = parseArgs({
  options: { only: { type: "string", multiple: true }, quick: { type: "boolean", default: false } },
});
const chosen = values.only ?? Object.keys(PARTS);
const unknown = chosen.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  process.stderr.write(
    `There is no part ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}.\n`,
  );
  process.exit(2);
}

const dir = realpathSync(mkdtempSync(path.join(tmpdir(), "oxbow-bench-")));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));

const bench: Bench = { dir, quick: values.quick, say: (text) => void process.stderr.write(`${text}\n`) };
const started = performance.now();
const load = loadavg()[0] ?? 0;
const sections: string[] = [];
for (const name of chosen) {
  const part = PARTS[name];
  if (part) sections.push(markdown(await part(bench)));
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
const text = `${heading(minutes)}\n\n${sections.join("\n\n")}\n`;
process.stdout.write(text);
if (values.only === undefined && !values.quick) {
  writeFileSync(path.join(import.meta.dirname, "RESULTS.md"), text);
}

function heading(took: string): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${memory} GB of memory`;
  return [
    "# What Oxbow costs",
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine}, Node ${process.versions.node}, ${git(dir, ["version"]).replace("git version", "Git")}. All parts took ${took} minutes; the load before they began was ${load.toFixed(1)}.`,
    "To repeat it: `npm run bench` (writes this file), `npm run bench -- --only editing`, `npm run bench -- --quick`. Everything is made from a seed under the system's temporary directory and removed afterwards. Contestants take turns in the same run and medians are shown. Times drift with the machine; the ratios are what counts.",
  ].join("\n\n");
}
