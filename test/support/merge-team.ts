/** Three agents whose paths overlap in `shared/`, each played by a script, and a run of them that ends in merging. */
import { join } from "node:path";
import { openApp, type OxbowApp } from "../../src/library.ts";
import type { OxbowEvent, Report } from "../../src/core/events.ts";
import { plainEnvironment } from "./cli.ts";
import { checkEvents } from "./event-stream.ts";
import { makeShop, type Shop } from "./shop.ts";

export type Step = Readonly<Record<string, unknown>>;

export const write = (path: string, content: string): Step => ({
  tool: "write_file",
  arguments: { path, content },
});
export const remove = (path: string): Step => ({ tool: "delete_file", arguments: { path } });
export const say = (text: string): Step => ({ say: text });

/** What an agent does, and what it does when its branch comes back, each time. */
export interface Part {
  readonly steps: readonly Step[];
  readonly rework?: readonly Step[];
}

export interface MergeTeam {
  readonly parts: Readonly<Record<string, Part>>;
  /** Lines of the team file: `verify: [...]`, `merge: {...}`. */
  readonly policy?: string;
  readonly files?: Readonly<Record<string, string>>;
}

export const LINES = "one\ntwo\nthree\nfour\nfive\n";

const AGENTS = `agents:
  - { name: Lead, allowed_paths: [] }
  - { name: A, allowed_paths: ["a/**", "shared/*"] }
  - { name: B, allowed_paths: ["b/**", "shared/**"] }
  - { name: C, allowed_paths: ["c/**"] }
`;

/** A shop with a file for each agent, one they share, and their script in `script.yaml`. */
export function makeMergeShop({ parts, policy = "", files = {} }: MergeTeam): Shop {
  const children = Object.keys(parts).map((agent) => ({ agent, task: `Part of ${agent}` }));
  const played = Object.entries(parts).map(([agent, { steps, rework = [say("Nothing to do.")] }]) => [
    agent,
    [{ when: "/is finished, but it is not in/", steps: rework }, { steps }],
  ]);
  const script = {
    agents: {
      Lead: [
        { tool: "orchestrate_split", arguments: { task: "All parts", children } },
        { tool: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 60_000 } },
        say("All parts are done."),
      ],
      ...Object.fromEntries(played),
    },
    default: [say("Nothing to do.")],
  };
  return makeShop({
    team: `team: T\nwindow_person: eve@example.com\n${policy}\n${AGENTS}`,
    files: {
      "a/a.txt": "a\n",
      "b/b.txt": "b\n",
      "c/c.txt": "c\n",
      "shared/x.txt": LINES,
      "script.yaml": JSON.stringify(script),
      ...files,
    },
  });
}

export const TICKET = "7";
export const TARGET = `integration/${TICKET}`;

export interface MergeRun {
  readonly report: Report;
  readonly events: readonly OxbowEvent[];
}

export async function runTeam(
  shop: Shop,
  env: Readonly<Record<string, string>> = {},
): Promise<MergeRun & { readonly state: string | undefined }> {
  await using app = open(shop, env);
  const events: OxbowEvent[] = [];
  const report = await app.run("Do your part", {
    ticket: TICKET,
    script: join(shop.dir, "script.yaml"),
    workers: "none",
    onEvent: (event) => void events.push(event),
  });
  checkEvents([...events, report]);
  const [status] = await app.status(TICKET);
  return { report, events, state: status?.task.state };
}

export function open(shop: Shop, env: Readonly<Record<string, string>> = {}): OxbowApp {
  return openApp({ repo: shop.dir, env: plainEnvironment({ ENABLE_ORCHESTRATE_TOOL: "1", ...env }) });
}

/** What became of the branches, by agent, the first first. */
export function endsOf({ merges }: Report): readonly string[] {
  return merges.map(({ agent, state, reason }) => `${agent} ${state}${reason ? ` ${reason.code}` : ""}`);
}
