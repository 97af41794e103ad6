/**
 * What a person wrote, in pieces: a sentence, a paragraph or a Markdown issue becomes sentences, each with the heading it
 * stands under and the place in a numbered list. Takes time in proportion to the text, and never throws.
 */

export interface Piece {
  /** One line; marks of Markdown around it are gone, code spans are kept. */
  readonly text: string;
  /** `title`: a first heading of the first level. */
  readonly kind: "title" | "heading" | "item" | "sentence";
  /** The heading above, lower case; empty: none. */
  readonly section: string;
  /** What a list was begun with ("It must:"); empty: nothing. */
  readonly intro: string;
  /** From 1 in a numbered list; what is nested in an item has its number. */
  readonly number: number | null;
}

const MAX_TEXT = 100_000;
const MAX_PIECES = 1_000;
/** A longer sentence is cut between words. */
const MAX_SENTENCE = 1_500;

export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  const state = { section: "", intro: "", number: null as number | null, block: [] as string[], item: false };
  const flush = (): void => {
    const whole = state.block.join(" ");
    state.block = [];
    const kind = state.item ? "item" : "sentence";
    if (!state.item) state.number = null;
    const sentences = sentencesOf(plainText(whole));
    for (const sentence of sentences)
      pieces.push({
        text: sentence,
        kind,
        section: state.section,
        intro: state.item ? state.intro : "",
        number: state.number,
      });
    if (!state.item) state.intro = sentences.at(-1)?.endsWith(":") === true ? (sentences.at(-1) ?? "") : "";
    state.item = false;
  };
  const heading = (title: string, isTop: boolean): void => {
    flush();
    const name = plainText(title).replace(/:$/, "").trim();
    if (name === "") return;
    const isTitle = isTop && pieces.length === 0;
    state.section = isTitle ? "" : name.toLowerCase();
    state.intro = "";
    const kind = isTitle ? "title" : "heading";
    pieces.push({ text: name, kind, section: state.section, intro: "", number: null });
  };
  for (const line of lines(text)) {
    if (pieces.length >= MAX_PIECES) break;
    const bare = line.trim();
    const item = itemOf(line);
    if (bare === "") flush();
    else if (/^#{1,6}\s/.test(bare))
      heading(bare.replace(/^#+/, "").replace(/#+$/, ""), !bare.startsWith("##"));
    else if (/^(?:=+|-{3,}|\*{3,}|_{3,})$/.test(bare)) {
      const [title, ...more] = state.block;
      state.block = [];
      if (title !== undefined && more.length === 0 && !state.item && bare.startsWith("="))
        heading(title, true);
      else state.block = title === undefined ? [] : [title, ...more];
      flush();
    } else if (item !== null) {
      const { number } = state;
      const wasItem = state.item;
      flush();
      state.item = true;
      state.number = item.nested && wasItem ? number : item.number;
      state.block.push(item.text);
    } else if (state.block.length === 0 && isTitle(bare)) heading(bare.replace(/^\*\*|\*\*:?$/g, ""), false);
    else if (!bare.startsWith("|")) state.block.push(bare.replace(/^>\s?/, ""));
  }
  flush();
  return pieces.slice(0, MAX_PIECES);
}

/** Without comments and what stands between fences. */
function lines(text: string): readonly string[] {
  const kept: string[] = [];
  let fence = "";
  for (const line of withoutComments(text.slice(0, MAX_TEXT)).split(/\r\n|\r|\n/)) {
    const mark = /^\s*(```|~~~)/.exec(line)?.[1] ?? "";
    if (fence === "" && mark !== "") fence = mark;
    else if (fence !== "" && mark === fence) fence = "";
    else if (fence === "") kept.push(line);
  }
  return kept;
}

function withoutComments(text: string): string {
  let kept = "";
  let from = 0;
  for (;;) {
    const start = text.indexOf("<!--", from);
    const end = start === -1 ? -1 : text.indexOf("-->", start);
    if (end === -1) return kept + text.slice(from);
    kept += text.slice(from, start);
    from = end + "-->".length;
  }
}

interface Item {
  readonly text: string;
  readonly number: number | null;
  readonly nested: boolean;
}

function itemOf(line: string): Item | null {
  const [, indent = "", mark = "", rest = ""] = /^(\s*)([-*+•]|\d{1,9}[.)])\s+(.*)$/.exec(line) ?? [];
  if (mark === "") return null;
  const number = /^\d/.test(mark) ? Number.parseInt(mark, 10) : null;
  return { text: rest.replace(/^\[[ xX]\]\s+/, ""), number, nested: indent.length >= 2 };
}

/** `**Acceptance criteria**`, or a short line of a few words that ends with a colon and says what follows. */
function isTitle(line: string): boolean {
  if (line.length > 60 || /^(?:do|does|must|should|shall)\b/i.test(line)) return false;
  return (
    /^\*\*[^*]+\*\*:?$/.test(line) || (/^[\p{L}][\p{L}' -]*:$/u.test(line) && sectionKind(line) !== null)
  );
}

export type SectionKind = "criteria" | "constraints" | "excluded" | "context";

const SECTIONS: readonly (readonly [SectionKind, RegExp])[] = [
  ["excluded", /\b(?:out of scope|not in scope|non-?goals?|not included)\b/],
  ["criteria", /\b(?:acceptance|criteria|criterion|done when|definition of done|expected|expectations?)\b/],
  ["constraints", /\b(?:constraints?|restrictions?|rules|limits|limitations|don'?ts?|must not|do not)\b/],
  [
    "context",
    /\b(?:context|background|motivation|why|notes?|environment|reproduce|reproduction|actual|current behaviou?r|references?|links?|see also|related|screenshots?|logs?)\b/,
  ],
];

/** What stands under a heading of these words; null: what is to be done. */
export function sectionKind(heading: string): SectionKind | null {
  const words = heading.toLowerCase();
  return SECTIONS.find(([, pattern]) => pattern.test(words))?.[0] ?? null;
}

/** Bold and links as their words; a link into the repository keeps its target. */
function plainText(text: string): string {
  return text
    .replace(/\*\*([^*\s/][^*/]*)\*\*/g, "$1")
    .replace(/!?\[([^[\]]*)\]\(([^()\s]*)\)/g, (_whole, words: string, target: string) =>
      target === "" || /^(?:[a-z]+:|#)/i.test(target) || words === target ? words : `${words} (${target})`,
    )
    .replace(/\s+/g, " ")
    .trim();
}

/** A capital, a digit, or a path. */
const BEGINNING = /^\s+(?:["'`([]*[\p{Lu}\p{Lo}\d/]|[\w.-]+\/)/u;
const ABBREVIATION = /(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|approx|incl|no|resp|fig|st|mr|mrs|dr)\.$/i;

/** Ends are `.`, `!` and `?` before a blank and what may begin a sentence; code spans are whole. */
export function sentencesOf(text: string): readonly string[] {
  const found: string[] = [];
  let start = 0;
  let isCode = false;
  const take = (end: number): void => {
    found.push(...cut(text.slice(start, end).trim()));
    start = end;
  };
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "`") isCode = !isCode;
    if (isCode) continue;
    if ("。！？".includes(char)) take(i + 1);
    else if (".!?".includes(char) && BEGINNING.test(text.slice(i + 1, i + 60))) {
      if (!ABBREVIATION.test(text.slice(Math.max(0, i - 8), i + 1))) take(i + 1);
    }
  }
  take(text.length);
  return found;
}

function cut(sentence: string): readonly string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > MAX_SENTENCE) {
    const blank = rest.lastIndexOf(" ", MAX_SENTENCE);
    const at = blank > 0 ? blank : MAX_SENTENCE;
    parts.push(rest.slice(0, at).trim());
    rest = rest.slice(at).trim();
  }
  return [...parts, rest].filter((part) => part !== "");
}
