/** Who gets which part of a task by the rules: owners of the files that it names, else whoever its words speak of. */
import type { Ownership } from "./ownership.ts";
import { type AgentLoad, chooseAgents, rankAgents } from "./plan-agents.ts";
import type { Statement, TaskIntent } from "./plan-intent.ts";
import { gatePaths } from "./plan-gates.ts";
import { type FileIndex, filesOf, type NamedPath, pathsIn } from "./plan-paths.ts";
import type { AgentSpec } from "./team-file.ts";

export interface PlannerFacts {
  readonly agents: readonly AgentSpec[];
  readonly ownership: Ownership;
  readonly index: FileIndex;
  /** Who gets a task when nobody else does. */
  readonly lead: string;
  readonly loads: ReadonlyMap<string, AgentLoad>;
  /** Milliseconds until the task must be done; null: whenever. */
  readonly deadlineMs: number | null;
}

export interface Share {
  readonly agent: AgentSpec;
  /** Positions of the statements that are its own. */
  readonly statements: Set<number>;
  /** Files of the base that it gets. */
  readonly files: Set<string>;
  /** Patterns of files that are to be made. */
  readonly made: Set<string>;
  /** It was chosen by words alone, so its part is what it owns. */
  whole: boolean;
}

export interface Shares {
  readonly shares: readonly Share[];
  /** Patterns that the text names; what it excludes is not among them. */
  readonly named: readonly string[];
  /** Patterns that nobody is to touch. */
  readonly avoided: readonly string[];
  /** Files that it names and nobody owns. */
  readonly unowned: readonly string[];
  /** It names no file and speaks of no agent. */
  readonly isVague: boolean;
  /** Objectives that do so, where others do not; all are told of them. */
  readonly unnamed: readonly string[];
  readonly notices: readonly string[];
}

/** All of the repository is meant. */
const EVERYTHING =
  /\b(?:every|all|each)(?: the| of the| source)? files?\b|\b(?:whole|entire) (?:repo(?:sitory)?|code ?base|project|tree)\b|\b(?:across|throughout) the (?:repo(?:sitory)?|code ?base|project)\b/i;
/** A criterion that is work for somebody, and not only a state. */
const MAKING =
  /\b(?:add|write|written|cover|covered|document|documented|describe|described|update|updated|review|reviewed)\w*\b/i;

export function shareOut(intent: TaskIntent, facts: PlannerFacts): Shares {
  const { index } = facts;
  const named = intent.statements.map((statement) => pathsOf(statement, index));
  const of = (...roles: readonly NamedPath["role"][]) => [
    ...new Set(named.flat().flatMap(({ role, patterns }) => (roles.includes(role) ? patterns : []))),
  ];
  const only = of("only");
  const avoided = of("avoid");
  const desk = createDesk(facts, avoided);
  const hasObjective = intent.statements.some(({ kind, title }) => kind === "objective" && !title);
  for (const [at, statement] of intent.statements.entries()) {
    if (statement.kind !== "objective" && statement.kind !== "criterion") continue;
    const paths = (named[at] ?? []).filter(({ role }) => role === "target" || role === "only");
    if (paths.length > 0) desk.byPaths(paths, at);
    else if (statement.title && hasObjective) continue;
    else if (statement.kind === "objective") desk.byWords(statement.text, at, 1);
    else if (MAKING.test(statement.text)) desk.byWords(statement.text, at, 2);
  }
  const restricting = named.flat().filter(({ role }) => role === "only");
  if (restricting.length > 0 && !desk.hasFiles()) desk.byPaths(restricting, null);
  const isVague = desk.shares.size === 0 && desk.unowned.size === 0;
  const unnamed = isVague ? [] : unnamedIn(intent, named, desk.shares.values());
  desk.settleUnowned(intent.objectives.join(" "));
  if (desk.shares.size === 0) desk.toLead(isVague);
  desk.passOn();
  return {
    shares: [...desk.shares.values()],
    named: only.length > 0 ? only : of("target"),
    avoided,
    unowned: [...desk.unowned].sort(),
    isVague,
    unnamed,
    notices: [...newNotices(named.flat(), facts), ...desk.notices, ...unnamedNotices(unnamed)],
  };
}

function pathsOf(statement: Statement, index: FileIndex): readonly NamedPath[] {
  if (statement.kind === "context") return [];
  const all = pathsIn(statement.text, index, statement.excluded);
  // What a person is asked about first is not what the task is about.
  const asked = statement.gate && statement.kind === "constraint" ? gatePaths(statement, index) : [];
  const found = all.filter(({ written, role }) =>
    asked.every((path) => path.written !== written || path.role !== role),
  );
  const isAll = found.length === 0 && statement.kind === "objective" && EVERYTHING.test(statement.text);
  return isAll ? [{ written: "**", patterns: ["**"], exists: true, role: "target" }] : found;
}

function unnamedIn(
  { statements }: TaskIntent,
  named: readonly (readonly NamedPath[])[],
  shares: Iterable<Share>,
): readonly string[] {
  const owned = new Set([...shares].flatMap((share) => [...share.statements]));
  return statements.flatMap(({ kind, title, text }, at) =>
    kind === "objective" && !title && !owned.has(at) && (named[at] ?? []).length === 0 ? [text] : [],
  );
}

function unnamedNotices(unnamed: readonly string[]): readonly string[] {
  return unnamed.slice(0, MOST_SHOWN).map((text) => {
    const shown = text.length > 100 ? `${text.slice(0, 99)}…` : text;
    return `Names no file and no agent, so all are told of it: ${shown}`;
  });
}

const MOST_SHOWN = 10;

function newNotices(paths: readonly NamedPath[], { index }: PlannerFacts): readonly string[] {
  const isMissing = ({ exists, patterns, role }: NamedPath) =>
    role !== "avoid" && (!exists || filesOf(patterns, index).length === 0);
  const missing = [...new Set(paths.filter(isMissing).map(({ written }) => written))];
  if (missing.length === 0) return [];
  const shown = missing.slice(0, MOST_SHOWN).map((written) => written.slice(0, 150));
  return [
    `The base has no ${shown.join(", ")}${missing.length > MOST_SHOWN ? ", …" : ""}: taken as to be made.`,
  ];
}

/** Where parts are handed out. */
function createDesk(facts: PlannerFacts, avoided: readonly string[]) {
  const { agents, ownership, index, loads, deadlineMs } = facts;
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  const others = agents.filter(({ name }) => name !== facts.lead);
  const workers = others.length > 0 ? others : agents;
  const writesAll = workers.filter(({ unbounded }) => unbounded);
  const shares = new Map<string, Share>();
  const unowned = new Set<string>();
  const unownedNew = new Set<string>();
  const notices: string[] = [];

  const shareOf = (agent: AgentSpec): Share => {
    const known = shares.get(agent.name);
    if (known !== undefined) return known;
    const made: Share = { agent, statements: new Set(), files: new Set(), made: new Set(), whole: false };
    shares.set(agent.name, made);
    return made;
  };
  const note = (share: Share, at: number | null) => {
    if (at !== null) share.statements.add(at);
  };

  return {
    shares,
    unowned,
    notices,
    hasFiles: () => [...shares.values()].some(({ files, made }) => files.size + made.size > 0),

    byPaths(paths: readonly NamedPath[], at: number | null): void {
      const patterns = paths.flatMap((path) => path.patterns);
      for (const { path } of filesOf([...patterns, ...avoided.map(excluding)], index)) {
        const owner = byName.get(ownership.findOwner(path) ?? "");
        if (owner === undefined) unowned.add(path);
        else {
          const share = shareOf(owner);
          share.files.add(path);
          note(share, at);
        }
      }
      for (const { written, patterns: made } of paths.filter(({ exists }) => !exists)) {
        const owner = byName.get(ownership.findOwner(written) ?? "");
        for (const pattern of made)
          if (owner === undefined) unownedNew.add(pattern);
          else {
            const share = shareOf(owner);
            share.made.add(pattern);
            note(share, at);
          }
      }
    },

    byWords(text: string, at: number, least: number): void {
      for (const { agent, score } of chooseAgents({ text, deadlineMs }, workers, loads)) {
        const spec = byName.get(agent);
        if (spec === undefined || score < least) continue;
        const share = shareOf(spec);
        share.whole ||= share.files.size + share.made.size === 0;
        note(share, at);
      }
    },

    /** Only who may write everywhere can: whoever the words speak of. */
    settleUnowned(text: string): void {
      if (unowned.size + unownedNew.size === 0) return;
      const [best] = rankAgents({ text, deadlineMs }, writesAll, loads);
      const lead = byName.get(facts.lead);
      const taker =
        best !== undefined && best.available && best.score > 0
          ? byName.get(best.agent)
          : shares.size === 0 && lead?.unbounded === true
            ? lead
            : undefined;
      if (taker === undefined) return;
      const share = shareOf(taker);
      for (const path of unowned) share.files.add(path);
      for (const pattern of unownedNew) share.made.add(pattern);
      unowned.clear();
    },

    toLead(isVague: boolean): void {
      const lead = byName.get(facts.lead);
      const owners = workers.filter(({ allowedPaths }) => allowedPaths.length > 0);
      const isAble = lead !== undefined && (lead.unbounded || lead.allowedPaths.length > 0);
      const takers = isAble || owners.length === 0 ? [lead ?? agents[0]] : owners;
      for (const agent of takers) if (agent !== undefined) shareOf(agent).whole = true;
      if (isVague)
        notices.push(
          `The text names no file and speaks of no agent: ${takers.length === 1 ? `${takers[0]?.name} gets all of it` : "every owner gets all of it"}.`,
        );
    },

    /** The part of an agent that is not available goes to one that may write everywhere, where there is one. */
    passOn(): void {
      for (const share of shares.values()) {
        const [fit] = rankAgents({ text: "", deadlineMs }, [share.agent], loads);
        if (fit === undefined || fit.available) continue;
        const { name, slaMs } = share.agent;
        const why = loads.get(name)?.disabled
          ? `${name} is disabled after its crashes`
          : `${name} may take ${slaMs} ms (sla_ms), longer than there is time`;
        const left = writesAll.filter((agent) => !shares.has(agent.name));
        const [best] = rankAgents({ text: "", deadlineMs }, left, loads);
        const taker = best?.available ? byName.get(best.agent) : undefined;
        if (taker === undefined || share.whole) notices.push(`${why}; nobody else may write its part.`);
        else {
          shares.delete(name);
          shares.set(taker.name, { ...share, agent: taker });
          notices.push(`${why}: ${taker.name} gets its part.`);
        }
      }
    },
  };
}

/** The pattern, as one that takes files out. */
export function excluding(pattern: string): string {
  return /^[(!]/.test(pattern) ? `!./${pattern}` : `!${pattern}`;
}
