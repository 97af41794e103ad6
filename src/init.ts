/** `oxbow init`: a team.yaml that fits the repository at hand, one agent per top-level folder, for a person to edit. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { openApp } from "./app.ts";
import { OxbowError } from "./core/errors.ts";
import { codeownersTeam } from "./core/codeowners-agents.ts";
import { CODEOWNERS_PLACES, type SkippedLine } from "./core/codeowners.ts";
import { createOwnership } from "./core/ownership.ts";
import { isProtected, pathProblem } from "./core/paths.ts";
import { parseTeamFile } from "./core/team-file.ts";

const MOST_AGENTS = 8;
/** Characters of a list on one line. */
const WIDEST = 100;

export interface MadeTeam {
  readonly file: string;
  readonly agents: readonly string[];
  /** Lines of a CODEOWNERS file that GitHub skips, and so does this. */
  readonly skipped: readonly SkippedLine[];
}

export interface InitOptions {
  readonly repo?: string;
  readonly force?: boolean;
  /** An agent for each owner that the CODEOWNERS file of the checkout names, in place of one for each folder. */
  readonly fromCodeowners?: boolean;
}

/** Throws usage when there is a team.yaml already, or no CODEOWNERS; not_a_repository, unborn_head, codeowners_invalid. */
export async function initTeam(options: InitOptions): Promise<MadeTeam> {
  await using app = openApp({ repo: options.repo });
  const { root, bare, files: all } = await app.files();
  if (bare)
    throw new OxbowError("usage", "A bare repository has no work tree to write a team.yaml into.", {
      hint: "Run `oxbow init` in a clone, commit team.yaml and push it: a run here reads the one of HEAD.",
    });
  const files = all.filter((path) => !isProtected(path));
  const file = join(root, "team.yaml");
  if (existsSync(file) && options.force !== true)
    throw new OxbowError("usage", `There is a team.yaml already: ${file}.`, {
      hint: "Edit it, or replace it with --force.",
    });
  const { agents, skipped } =
    options.fromCodeowners === true ? fromCodeowners(root, files) : { agents: agentsFor(files), skipped: [] };
  const text = teamText(basename(root), agents);
  // What is written can be read: a CODEOWNERS file may have more in it than a team.
  parseTeamFile(text, file);
  writeFileSync(file, text);
  return { file, agents: ["Lead", ...agents.map((agent) => agent.name)], skipped };
}

function fromCodeowners(root: string, files: readonly string[]) {
  const place = CODEOWNERS_PLACES.find((each) => existsSync(join(root, each)));
  if (place === undefined)
    throw new OxbowError("usage", `There is no CODEOWNERS file in ${root}.`, {
      hint: `GitHub looks for ${CODEOWNERS_PLACES.join(", ")}.`,
    });
  const { agents, skipped } = codeownersTeam(readFileSync(join(root, place), "utf8"), ["Lead"]);
  const owners = createOwnership(Object.fromEntries(agents.map((each) => [each.name, each.allowedPaths])));
  const counts = new Map<string, number>();
  for (const path of files) {
    const owner = pathProblem(path) === null ? owners.findOwner(path) : null;
    if (owner !== null) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const drafted = agents.map(({ name, allowedPaths: paths, codeOwners }): Drafted => {
    return { name, paths, codeOwners, files: counts.get(name) ?? 0 };
  });
  return { agents: drafted, skipped };
}

interface Drafted {
  readonly name: string;
  readonly paths: readonly string[];
  readonly codeOwners?: readonly string[];
  readonly files: number;
}

/** The largest folders get an agent each; an agent called Rest has what is left. */
function agentsFor(files: readonly string[]): Drafted[] {
  const counts = new Map<string, number>();
  for (const file of files) {
    const [folder, rest] = file.split("/", 2);
    if (folder === undefined || rest === undefined || folder.startsWith(".")) continue;
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const folders = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_AGENTS);
  const names = new Set(["lead", "rest"]);
  const agents = folders.map(([folder, count]) => ({
    name: freeName(folder, names),
    paths: [`${literal(folder)}/**`],
    files: count,
  }));
  const owned = folders.reduce((sum, [, count]) => sum + count, 0);
  return owned < files.length
    ? [...agents, { name: "Rest", paths: ["**"], files: files.length - owned }]
    : agents;
}

function freeName(folder: string, taken: Set<string>): string {
  const plain = folder.replace(/[^A-Za-z0-9]+/g, " ").trim();
  const name = plain.replace(/(^| )(.)/g, (_all, _blank, letter: string) => letter.toUpperCase()) || "Agent";
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}${n}`;
    if (taken.has(candidate.toLowerCase())) continue;
    taken.add(candidate.toLowerCase());
    return candidate;
  }
}

/** A folder's own name may hold characters that mean something in a glob. */
function literal(folder: string): string {
  return folder.replace(/[\\*?[\]{}()!+@|]/g, "\\$&");
}

function teamText(team: string, agents: readonly Drafted[]): string {
  const lines = [
    "# Who works on this repository, and which paths each may write. See docs of Oxbow: README, team.yaml.",
    `team: ${JSON.stringify(team)}`,
    "lead: Lead                        # gets a task when it is not split with --by owner",
    "agents:",
    "  - name: Lead",
    "    responsibilities: [plan]",
    "    allowed_paths: []",
  ];
  const list = (key: string, values: readonly string[]): string[] => {
    const shown = values.map((value) => JSON.stringify(value));
    const short = `    ${key}: [${shown.join(", ")}]`;
    return short.length <= WIDEST ? [short] : [`    ${key}:`, ...shown.map((value) => `      - ${value}`)];
  };
  for (const agent of agents)
    lines.push(
      `  - name: ${JSON.stringify(agent.name)}  # ${agent.files} file${agent.files === 1 ? "" : "s"}`,
      ...(agent.codeOwners === undefined ? [] : list("code_owners", agent.codeOwners)),
      "    responsibilities: [build]",
      ...list("allowed_paths", agent.paths),
    );
  return `${lines.join("\n")}\n`;
}
