/**
 * From what a person wrote to what is to be reached, what must hold, and how one sees that it is done. The rules are those
 * of docs/orchestration/planner.md; they look at words alone, so the same text always gives the same answer.
 */
import { PLAN_LIMITS } from "./plan.ts";
import { type Piece, piecesOf, type SectionKind, sectionKind } from "./plan-text.ts";

export type StatementKind = "objective" | "constraint" | "criterion" | "context";

export interface Statement {
  readonly text: string;
  readonly kind: StatementKind;
  /** What has a smaller one comes before; null: whenever. */
  readonly step: number | null;
  /** It says that a person must agree first. */
  readonly gate: boolean;
  /** It stands under a heading such as "Out of scope". */
  readonly excluded: boolean;
  /** The title of an issue. */
  readonly title: boolean;
}

export interface TaskIntent {
  /** In the order of the text. */
  readonly statements: readonly Statement[];
  readonly objectives: readonly string[];
  readonly constraints: readonly string[];
  readonly acceptanceCriteria: readonly string[];
}

const MODAL = "(?:must|should|shall|has to|have to|needs? to|(?:is|are) (?:expected|supposed) to)";
const PERSON = /^(?:we|you|i|let'?s|please|somebody|someone)\b/i;
const NEGATION =
  /^(?:please |but |and |also )?(?:do not|don'?t|never|no(?!te|w)|avoid|without|leave|keep|stay)\b|\b(?:must|should|shall|may|do|does|can)(?:n'?t| not|not)\b|\bnever\b/i;
const ONLY =
  /^(?:please |but )?only\b|\bonly (?:touch|change|edit|modify|work|write|in|under)\b|\bonly[.!]?$/i;
const CRITERION_START =
  /^(?:ensure|make sure|verify|check that|confirm that|given|when|whenever|as a result|it is done|done when)\b/i;
const CRITERION = new RegExp(`\\b${MODAL}\\b`, "i");
const TESTS_PASS = /\b(?:tests?|builds?|lint|checks?|ci)\b.{0,60}\b(?:pass|passes|succeed|succeeds|green)\b/i;
const CONTEXT =
  /^(?:(?:currently|right now|at the moment|today|fyi|as of)\b|(?:note|background|context)(?::| that\b))|\?$/i;
const LATER =
  /^(?:and )?(?:then|next|finally|lastly|afterwards?|after (?:that|this|which)|once (?:that|this)(?: is done)?)\b,? */i;
const AFTER = /^(?:after|once) .{1,200}?, /i;
const THEN = /(?:[,;] (?:and )?| and )(?:then|after that|afterwards|finally) /i;
/** A clause that restricts what the sentence asks for. */
const CLAUSE =
  /(?:, but |; |, )?\b(?:without (?:touching|changing|breaking|editing|modifying)|but (?:do not|don'?t|not|never|only)|and (?:do not|don'?t|never)|only (?:in|under|inside|within))\b.*$/i;
const PURPOSE = /\bso that (.{3,})$/i;

/** Verbs that tasks begin with: told by them, what is to be done is told from what is described. */
const VERBS = new Set(
  (
    "accept add adapt adjust allow apply audit build bump change check clean collect compute configure convert copy correct " +
    "count cover create cut declare define delete deprecate describe detect disable document drop emit enable explain expose extend " +
    "extract fill find finish fix format generate give handle harden hide implement improve inline install integrate " +
    "introduce investigate limit link lint list load localise localize log lower make mark measure mention merge migrate mock move " +
    "name note optimise optimize order parse patch pin port prepare prevent print profile provide publish raise read rebuild " +
    "record reduce refactor register reject release remove rename render reorder reorganise reorganize repair replace reply " +
    "report require reset restore restrict restructure return reuse review revert rework rewrite run sanitise sanitize save " +
    "scaffold secure send set setup share ship show simplify skip sort speed split start stop store strip support switch " +
    "sync test tidy track translate trim turn unify update upgrade use validate wire wrap write"
  ).split(" "),
);

const AGREE = "(?:approval|sign-?off|permission|confirmation)";
const GATE = new RegExp(
  [
    "\\b(?:ask|check with|consult)\\b[^.]{0,40}?\\b(?:before|first|for (?:approval|permission|confirmation))\\b",
    `\\b(?:needs?|requires?|waits? for|get|with|without|after|subject to|pending)\\s+(?:[\\w']+\\s+){0,3}?${AGREE}\\b`,
    `\\b${AGREE}\\s+(?:is\\s+)?(?:needed|required|first)\\b`,
    "\\bmust be (?:approved|signed off|confirmed)\\b",
  ].join("|"),
  "i",
);
const NO_GATE = new RegExp(
  `\\b(?:no|not|n't)\\s+(?:need|require|ask)|\\bno\\s+${AGREE}|n't\\s+(?:need|ask)`,
  "i",
);

/** True for a text that says that a person must agree first. */
export function asksForApproval(text: string): boolean {
  return GATE.test(text) && !NO_GATE.test(text);
}

export function readTask(text: string): TaskIntent {
  const pieces = piecesOf(text);
  const isIssue = pieces.some(({ kind }) => kind === "heading" || kind === "title");
  const drafts = pieces
    .flatMap((piece, i) => draftsOf(piece, { isFirst: i === 0, isIssue }))
    .filter((draft) => draft.text !== "");
  if (!drafts.some(({ kind }) => kind === "objective")) {
    const first = drafts.findIndex(({ kind }) => kind === "context");
    const draft = drafts[Math.max(first, 0)];
    if (draft !== undefined)
      drafts.splice(Math.max(first, 0), first === -1 ? 0 : 1, { ...draft, kind: "objective" });
  }
  const statements = withSteps(drafts);
  const of = (wanted: StatementKind) => [
    ...new Set(statements.flatMap(({ kind, text: words }) => (kind === wanted ? [words] : []))),
  ];
  return {
    statements,
    objectives: of("objective").slice(0, PLAN_LIMITS.lines),
    constraints: of("constraint").slice(0, PLAN_LIMITS.lines),
    acceptanceCriteria: of("criterion").slice(0, PLAN_LIMITS.lines),
  };
}

interface Draft extends Omit<Statement, "step"> {
  /** Comes after what was said before it. */
  readonly later: boolean;
  readonly number: number | null;
  readonly section: string;
}

function draftsOf(piece: Piece, { isFirst, isIssue }: { isFirst: boolean; isIssue: boolean }): Draft[] {
  const { number, section } = piece;
  const under = sectionKind(section) ?? (piece.intro === "" ? null : introKind(piece.intro));
  const excluded = under === "excluded";
  const isTitle = piece.kind === "title" || (piece.kind === "heading" && isFirst && under === null);
  const draft = (text: string, kind: StatementKind, later = false): Draft => ({
    text: text.slice(0, PLAN_LIMITS.line),
    kind,
    later,
    number,
    section,
    gate: kind !== "context" && asksForApproval(text),
    excluded: excluded && kind === "constraint",
    title: isTitle,
  });
  if (isTitle) return [draft(piece.text, "objective")];
  if (piece.kind === "heading") return [];
  if (piece.text.endsWith(":") && piece.kind === "sentence" && introKind(piece.text) !== null) return [];
  if (under !== null) {
    return [draft(`${leadIn(piece, excluded)}${piece.text}`, KIND_UNDER[under])];
  }
  return clauses(piece.text).flatMap(({ text, later }) => {
    const kind = kindOf(text, { isItem: piece.kind === "item", isIssue });
    const found = [draft(text, kind, later)];
    const clause = kind === "objective" ? CLAUSE.exec(text)?.[0] : undefined;
    if (clause !== undefined) found.push(draft(sentence(clause), "constraint"));
    const purpose = kind === "objective" ? PURPOSE.exec(text)?.[1] : undefined;
    if (purpose !== undefined) found.push(draft(sentence(purpose), "criterion"));
    return found;
  });
}

/** What an item of a list does not say itself: "Do not:" above it, or that it is out of scope. */
function leadIn({ text, intro, section }: Piece, excluded: boolean): string {
  if (NEGATION.test(text)) return "";
  if (excluded) return "Out of scope: ";
  const said = intro.replace(/:$/, "");
  if (said !== "") return NEGATION.test(said) || ONLY.test(said) || CRITERION.test(said) ? `${said} ` : "";
  return NEGATION.test(section) ? `${sentence(section)}: ` : "";
}

const KIND_UNDER: Readonly<Record<SectionKind, StatementKind>> = {
  criteria: "criterion",
  constraints: "constraint",
  excluded: "constraint",
  context: "context",
};

/** What a list is that a sentence begins: "It must:", "Do not:", "Done when:". */
function introKind(intro: string): SectionKind | null {
  const words = intro.toLowerCase();
  if (NEGATION.test(words) || ONLY.test(words.replace(/:$/, ""))) return "constraints";
  const named = sectionKind(words);
  if (named !== null && named !== "context") return named;
  return CRITERION.test(words) && !PERSON.test(words) ? "criteria" : null;
}

/** "Do this, then that" as two; "If this, then that" is one. */
function clauses(text: string): readonly { readonly text: string; readonly later: boolean }[] {
  const isCondition = /^(?:if|when|whenever|given|unless)\b/i.test(text);
  const found: { text: string; later: boolean }[] = [];
  let rest = text;
  for (
    let then = isCondition ? null : THEN.exec(rest);
    then !== null && then.index > 0;
    then = THEN.exec(rest)
  ) {
    found.push({ text: rest.slice(0, then.index), later: found.length > 0 });
    rest = rest.slice(then.index + then[0].length);
  }
  found.push({ text: rest, later: found.length > 0 });
  return found.map((clause) => {
    const said = LATER.exec(clause.text)?.[0] ?? "";
    const later = clause.later || said !== "" || AFTER.test(clause.text);
    const bare = clause.text.slice(said.length);
    return {
      text: clause.later || said !== "" ? sentence(bare) || clause.text.trim() : clause.text.trim(),
      later,
    };
  });
}

function kindOf(text: string, { isItem, isIssue }: { isItem: boolean; isIssue: boolean }): StatementKind {
  // What is said in brackets about an approval does not make it less of a task.
  const bare = text.replace(/\([^()]*\)/g, (bracket) => (asksForApproval(bracket) ? "" : bracket)).trim();
  if (asksForApproval(bare)) return "constraint";
  if (NEGATION.test(bare) || ONLY.test(bare)) return "constraint";
  if (CRITERION_START.test(bare) || TESTS_PASS.test(bare)) return "criterion";
  if (CRITERION.test(bare) && !PERSON.test(bare)) return "criterion";
  if (CONTEXT.test(bare)) return "context";
  return isItem || !isIssue || isImperative(bare) ? "objective" : "context";
}

function isImperative(text: string): boolean {
  if (/^(?:we|you|i|let'?s)\b/i.test(text)) return true;
  const words =
    text
      .toLowerCase()
      .match(/[a-z']+/g)
      ?.slice(0, 3) ?? [];
  const first = words.find((word) => !["please", "also", "and", "first", "to", "now", "just"].includes(word));
  return first !== undefined && VERBS.has(first);
}

/** A clause as a sentence of its own; what begins with a path or a name stays as it is. */
function sentence(text: string): string {
  const bare = text.replace(/^[\s,;]+(?:but |and )?|^but |^and /i, "").trim();
  return /^\p{Ll}+(?:[\s,'’]|$)/u.test(bare) ? bare.charAt(0).toUpperCase() + bare.slice(1) : bare;
}

/** Numbers of a list, or words such as "then", put objectives in order; without any, none has a step. */
function withSteps(drafts: readonly Draft[]): readonly Statement[] {
  let step = 1;
  let last: Draft | null = null;
  let isOrdered = false;
  const steps = drafts.map((draft) => {
    if (draft.kind !== "objective" || draft.title) return null;
    const isNext = draft.number !== null && last?.number !== null && draft.number !== last?.number;
    if (last !== null && (draft.later || (isNext && draft.section === last.section))) {
      step++;
      isOrdered = true;
    }
    last = draft;
    return step;
  });
  return drafts.map(({ text, kind, gate, excluded, title }, i) => ({
    text,
    kind,
    gate,
    excluded,
    title,
    step: isOrdered ? (steps[i] ?? null) : null,
  }));
}
