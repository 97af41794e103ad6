/**
 * `allowed_paths` as CODEOWNERS: the patterns from the least specific to the most, so that the last line that matches is the
 * most specific one. Where an agent gives paths up by a negative, the lines before it are said again for those.
 */
import { type CodeownersRule, ownerProblem, parseCodeowners } from "./codeowners.ts";
import { OxbowError } from "./errors.ts";
import { compareSpecificity, type Glob, parsePattern } from "./glob.ts";
import {
  coversPath,
  globText,
  intersect,
  isLiteral,
  type NamePattern,
  parseNames,
  type PathPattern,
  type Token,
} from "./glob-overlap.ts";
import { isProtected, pathProblem } from "./paths.ts";
import { quoted } from "./text.ts";

export interface ExportedAgent {
  readonly name: string;
  readonly allowedPaths: readonly string[];
  /** As CODEOWNERS names them; none: the agent cannot be exported. */
  readonly codeOwners: readonly string[];
}

interface Line {
  readonly names: PathPattern;
  /** Null: nobody. */
  readonly agent: ExportedAgent | null;
}

const MOST_LINES = 20_000;

/** Throws codeowners_invalid: an agent without owners, or a pattern that CODEOWNERS cannot say. */
export function codeownersText(agents: readonly ExportedAgent[]): string {
  const lines: Line[] = [];
  for (const { glob, names, agent } of ordered(agents)) {
    const taken = agent.allowedPaths.flatMap((pattern) =>
      parts(agent, pattern).filter((each) => each.glob.negative),
    );
    const before = [...lines];
    const own: Line = { names, agent };
    lines.push(own);
    const regions = taken.flatMap((each) => meet(names, each.names, agent));
    lines.push(...restored(before, own, regions, agent));
    if (lines.length > MOST_LINES) throw refused(agent, glob.text, "takes too many lines");
  }
  const last = new Map(lines.map(({ names }, i) => [patternText(names), i]));
  const said = lines.flatMap(({ names, agent }, i) => {
    const pattern = patternText(names);
    return last.get(pattern) === i ? [{ pattern, owners: (agent?.codeOwners ?? []).join(" ") }] : [];
  });
  const width = Math.min(60, Math.max(0, ...said.map(({ pattern }) => pattern.length)));
  const text = said.map(({ pattern, owners }) => `${pattern.padEnd(width)} ${owners}`.trimEnd());
  return `# Who owns what, from the team file (oxbow owners export). The last line that matches decides.\n${text.join("\n")}\n`;
}

interface Part {
  readonly glob: Glob;
  readonly names: PathPattern;
  readonly agent: ExportedAgent;
}

/** The positive patterns of all, the most specific last. What a literal path and what is below it are one line. */
function ordered(agents: readonly ExportedAgent[]): readonly Part[] {
  const all = agents.flatMap((agent) => {
    if (agent.allowedPaths.length > 0) checkOwners(agent);
    return agent.allowedPaths.flatMap((pattern) => parts(agent, pattern));
  });
  return all
    .filter(({ glob }) => !glob.negative && glob.literal === null)
    .sort((a, b) => -compareSpecificity(a.glob, b.glob) || compareText(b.agent.name, a.agent.name));
}

function checkOwners({ name, codeOwners }: ExportedAgent): void {
  const problem = codeOwners.length === 0 ? `The agent ${name} has no code_owners` : ownerProblem(codeOwners);
  if (problem === null) return;
  throw new OxbowError("codeowners_invalid", `${problem}.`, {
    hint: `Say who they are on GitHub: code_owners: ["@org/team"] in the team file.`,
    details: { agent: name },
  });
}

function parts(agent: ExportedAgent, pattern: string): readonly Part[] {
  return parsePattern(pattern).map((glob) => {
    const names = parseNames(glob.text);
    if (names === null) throw refused(agent, pattern, "has brackets or groups, which GitHub does not know");
    if (/[#[\]]/.test(globText(names)))
      throw refused(agent, pattern, "has a character that GitHub does not know there");
    return { glob, names, agent };
  });
}

function meet(one: PathPattern, other: PathPattern, agent: ExportedAgent): readonly PathPattern[] {
  return intersect(one, other) ?? refuse(agent, globText(other), "takes too many lines");
}

/** What was said before about the paths that an agent gives up of its own line. */
function restored(
  before: readonly Line[],
  own: Line,
  taken: readonly PathPattern[],
  agent: ExportedAgent,
): readonly Line[] {
  const again = (lines: readonly Line[], region: PathPattern): readonly Line[] => [
    { names: region, agent: null },
    ...lines.flatMap((line) =>
      meet(line.names, region, agent).map((names) => ({ names, agent: line.agent })),
    ),
  ];
  const below = (path: PathPattern): PathPattern => [...path, null, ["*"]];
  const files: PathPattern[] = [];
  const others: PathPattern[] = [];
  for (const each of taken) {
    const path = each.at(-1) === null ? each.slice(0, -1) : each;
    if (path.length === 0 || !isLiteral(path)) others.push(each);
    else {
      files.push(path);
      if (path !== each) others.push(below(path));
    }
  }
  // A line for a path without wildcards says something of what is below it, too: that is taken back first.
  return [
    ...files.flatMap((path) => [...again(before, path), ...again([...before, own], below(path))]),
    ...others.flatMap((region) => again(before, region)),
  ];
}

/** Rooted, except where it may begin anywhere. A name at the end is a file, or a directory with all that is below it. */
function patternText(names: PathPattern): string {
  const [last, before] = [names.at(-1), names.at(-2)];
  const folder = isAny(last) && before === null;
  const own = names.length > 1 && last === null && before !== undefined && before?.at(-1) !== "*";
  const shown = folder ? names.slice(0, -2) : own ? names.slice(0, -1) : names;
  const text = shown.map((name) => (name === null ? "**" : name.map(tokenText).join(""))).join("/");
  if (text === "" || text === "**") return "*";
  const end = folder ? "/" : "";
  if (shown.length === 2 && shown[0] === null && shown[1] !== null)
    return `${text.slice("**/".length)}${end}`;
  return `/${text}${end}`;
}

function isAny(name: NamePattern | undefined): boolean {
  return name?.length === 1 && name[0] === "*";
}

function tokenText(token: Token): string {
  return typeof token === "string" ? token : escaped(token.char);
}

function escaped(char: string): string {
  return /[\\*?\s]/.test(char) ? `\\${char}` : char;
}

/** A path that has another owner by the file than by the team; the first of them. */
export interface Difference {
  readonly path: string;
  readonly agent: string | null;
  readonly owners: readonly string[];
}

/**
 * Compares both on real files. CODEOWNERS cannot tell a file from a directory of that name, and what becomes instructions
 * or code for others belongs there to whom a wildcard names: such files are left out.
 */
export function differences(
  text: string,
  files: readonly string[],
  findOwner: (path: string) => ExportedAgent | null,
): readonly Difference[] {
  const { rules } = parseCodeowners(text);
  const found: Difference[] = [];
  for (const path of files) {
    if (pathProblem(path) !== null || isProtected(path)) continue;
    const agent = findOwner(path);
    const owners = lastOwners(rules, path);
    if (owners.join(" ") !== (agent?.codeOwners ?? []).join(" "))
      found.push({ path, agent: agent?.name ?? null, owners });
  }
  return found;
}

/** By the rules of CODEOWNERS. */
export function lastOwners(rules: readonly CodeownersRule[], path: string): readonly string[] {
  const names = path.split("/").map((name) => name.split("").map((char) => ({ char })));
  return rules.findLast(({ matches }) => matches.some((pattern) => coversPath(pattern, names)))?.owners ?? [];
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function refuse(agent: ExportedAgent, pattern: string, why: string): never {
  throw refused(agent, pattern, why);
}

function refused(agent: ExportedAgent, pattern: string, why: string): OxbowError {
  return new OxbowError("codeowners_invalid", `The pattern ${quoted(pattern)} of ${agent.name} ${why}.`, {
    hint: "Write the pattern without it, or the CODEOWNERS file by hand.",
    details: { agent: agent.name, pattern },
  });
}
