/** The work of a faults' run: a lead that splits, children that each write, commit and signal; all told by rule, not by turn of the clock. */
import { makeShop, type Shop } from "../support/shop.ts";
import type { ModelHandler, ModelReply } from "../support/model-server.ts";

/** Registered as a key and put in nobody's text: wherever it turns up, it has leaked. */
export const KEY = "sk-test-7f3a91c05be2d84416aa";
export const TICKET = "146";
/** Its parts are written by a program, not by a model. */
export const PROGRAM_AGENT = "Tool";
const PROGRAMS = { name: PROGRAM_AGENT, folder: "tools" } as const;
const AGENTS = [
  { name: "Api", folder: "src/api" },
  { name: "Web", folder: "src/web" },
  { name: "Docs", folder: "docs" },
] as const;

/** Nobody's: every child tries to write it, and must hear no. */
export const REFUSED = { path: "LICENSE", code: "out_of_scope" } as const;

/** Crashes here are the suite's doing, so that agents may have many; a subtask still ends some day. */
const TEAM = `team: Shop
lead: Lead
window_person: lead@example.com
limits: { max_parallel: 8, max_children: 1000, max_children_per_split: 1000 }
groups:
  - { name: All, max_restarts: 500, window_s: 100000 }
  - { name: Programs, max_restarts: 500, window_s: 100000, restart: permanent }
agents:
  - { name: Lead, group: All, responsibilities: [plan], allowed_paths: [] }
  - { name: Api, group: All, responsibilities: [build], allowed_paths: ["src/api/**"] }
  - { name: Web, group: All, responsibilities: [build], allowed_paths: ["src/web/**"] }
  - { name: Docs, group: All, responsibilities: [write], allowed_paths: ["docs/**"] }
  - name: Tool
    group: Programs
    responsibilities: [generate]
    allowed_paths: ["tools/**"]
    runtime: command
    command: ["node", "-e", "@CODE@", "{task}"]
`;

/** In the command line of every program. */
export const PROGRAM_MARK = "oxbow_fault_program";
/** Writes its file in two halves with a pause between them, in which it can be killed. */
const CODE = [
  `const ${PROGRAM_MARK} = "tools/part-" + /part ([0-9]+)[.]/.exec(process.argv[1])[1] + ".txt";`,
  `const fs = require("fs");`,
  `fs.mkdirSync("tools", { recursive: true });`,
  `fs.writeFileSync(${PROGRAM_MARK}, ${PROGRAM_MARK});`,
  `setTimeout(() => fs.appendFileSync(${PROGRAM_MARK}, " by Tool" + String.fromCharCode(10)), 150);`,
].join(" ");

export interface Part {
  readonly agent: string;
  readonly brief: string;
  readonly path: string;
  readonly content: string;
}

/** Every n-th by a program, with `programs: n`. */
export function partsOf(count: number, { programs = 0 } = {}): readonly Part[] {
  return Array.from({ length: count }, (_, i) => {
    const byProgram = programs > 0 && i % programs === programs - 1;
    const agent = byProgram ? PROGRAMS : (AGENTS[i % AGENTS.length] ?? AGENTS[0]);
    const path = `${agent.folder}/part-${i}.txt`;
    return { agent: agent.name, brief: `Write part ${i}.`, path, content: `${path} by ${agent.name}\n` };
  });
}

/** Parts that ask a model, four times or more. */
export function byModels(parts: readonly Part[]): readonly Part[] {
  return parts.filter(({ agent }) => agent !== PROGRAM_AGENT);
}

/** `team`: the team file with these changes. */
export function makeWork(change: (team: string) => string = (team) => team, folder?: string): Shop {
  const code = JSON.stringify(CODE).slice(1, -1);
  return makeShop({ team: change(TEAM.replace("@CODE@", () => code)), ...(folder ? { folder } : {}) });
}

/** What the models answer; `wait`: the lead waits for all of its children. */
export function answersFor(parts: readonly Part[]): ModelHandler {
  const split = {
    task: "Write all parts",
    children: parts.map(({ brief, agent }) => ({ task: brief, agent })),
  };
  return (call): ModelReply => {
    if (call.agent === "Lead") return leadSays(call.task, call.outputs, split);
    const part = parts.find(({ brief }) => call.task.includes(brief));
    if (!part) return { status: 400, message: `Nobody knows the part of ${call.task.slice(0, 80)}` };
    const steps: ModelReply[] = [
      {
        calls: [
          { name: "write_file", arguments: { path: REFUSED.path, content: "taken\n" } },
          { name: "write_file", arguments: { path: part.path, content: part.content } },
        ],
      },
      { calls: [{ name: "commit", arguments: { message: `Add ${part.path}` } }] },
      { calls: [{ name: "signal_send", arguments: { topic: "progress", payload: { path: part.path } } }] },
      { text: `Wrote ${part.path}.` },
    ];
    return steps[Math.min(call.turn, steps.length) - 1] ?? { text: "Done." };
  };
}

function leadSays(task: string, outputs: readonly unknown[], split: object): ModelReply {
  const [first] = outputs;
  if (outputs.length === 0) {
    if (task.includes("handed these parts out already")) return { text: "They are at work, or done." };
    return { calls: [{ name: "orchestrate_split", arguments: split }] };
  }
  const topics = topicsIn(first);
  if (outputs.length === 1 && topics !== null)
    return { calls: [{ name: "signal_wait_all", arguments: { topics, timeout_ms: 300_000 } }] };
  return { text: "All parts are done." };
}

function topicsIn(output: unknown): readonly unknown[] | null {
  const found = typeof output === "object" && output !== null && "topics" in output ? output.topics : null;
  return Array.isArray(found) ? found : null;
}
