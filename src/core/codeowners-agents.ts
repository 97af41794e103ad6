/** A CODEOWNERS file as agents: one for each set of owners that is named together. */
import { branchName } from "./branch-name.ts";
import { translateCodeowners } from "./codeowners-import.ts";
import { parseCodeowners, type SkippedLine } from "./codeowners.ts";

export interface CodeownersAgent {
  readonly name: string;
  readonly codeOwners: readonly string[];
  readonly allowedPaths: readonly string[];
}

export interface CodeownersTeam {
  readonly agents: readonly CodeownersAgent[];
  /** Lines that GitHub skips, too. */
  readonly skipped: readonly SkippedLine[];
}

/** `taken`: names that are not to be used. Throws codeowners_invalid. */
export function codeownersTeam(text: string, taken: readonly string[] = []): CodeownersTeam {
  const parsed = parseCodeowners(text);
  const names = new Set(taken.map((name) => branchKey(name)));
  const agents = translateCodeowners(parsed).map(({ owners, allowedPaths }) => ({
    name: freeName(owners, names),
    codeOwners: owners,
    allowedPaths,
  }));
  return { agents, skipped: parsed.skipped };
}

const MOST_NAMED = 2;

/** `@org/web-team` is `web-team`; of several the first two, and how many more there are. */
function freeName(owners: readonly string[], taken: Set<string>): string {
  const plain = owners.slice(0, MOST_NAMED).map((owner) => owner.replace(/^@(?:.*\/)?|@.*$/g, ""));
  const more = owners.length > MOST_NAMED ? [`${owners.length - MOST_NAMED}-more`] : [];
  const whole = [...plain, ...more].join("-").replace(/[^A-Za-z0-9_-]+/g, "-");
  const base = whole.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "").slice(0, 80) || "owner";
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (taken.has(branchKey(name))) continue;
    taken.add(branchKey(name));
    return name;
  }
}

function branchKey(name: string): string {
  return branchName({ agentName: name }).toLowerCase();
}
