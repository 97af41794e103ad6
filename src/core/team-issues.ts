/** The schema's findings about a team file, in words, each with its line and column. */
import type { z } from "zod";
import { type ErrorCode, OxbowError } from "./errors.ts";
import { keysAt } from "./team-schema.ts";
import { quoted, suggestion } from "./text.ts";
import { dotted, type Position, type YamlSource } from "./yaml-source.ts";

export type Path = readonly (string | number)[];
/** Throws the error with the position of the value at `path`. */
export type Fail = (code: ErrorCode, path: Path, message: string) => never;

export interface Finding extends Position {
  readonly path: string;
  readonly message: string;
}

const SHOWN = 5;
/** Enough to find the first of the file among, however broken it is. */
const LOOKED_AT = 50;

/** Which file it is: the code of its errors, and the keys that a mapping at a path may have. */
export interface FileKind {
  readonly code: ErrorCode;
  keysAt(path: readonly PropertyKey[]): readonly string[];
}

const TEAM: FileKind = { code: "team_file_invalid", keysAt };

/** One error (of a team file: team_file_invalid) for all findings, the first of the file in front. */
export function explainIssues(
  issues: readonly z.core.$ZodIssue[],
  source: YamlSource,
  file: string,
  kind: FileKind = TEAM,
): OxbowError {
  const findings = issues.slice(0, LOOKED_AT).flatMap((issue) => explain(issue, source, kind));
  return explainFindings(findings, file, kind.code);
}

/** The same for what was found otherwise. */
export function explainFindings(found: readonly Finding[], file: string, code: ErrorCode): OxbowError {
  const findings = found.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = findings.slice(0, SHOWN).map((each) => {
    const about = each.path === "" ? "" : `${each.path}: `;
    return `${file}:${each.line}:${each.column}: ${about}${each.message}`;
  });
  if (findings.length > SHOWN) lines.push(`… and ${findings.length - SHOWN} more`);
  const { line, column, path } = findings[0] ?? { line: 1, column: 1, path: "" };
  return new OxbowError(code, lines.join("\n"), { details: { file, line, column, path } });
}

function explain(issue: z.core.$ZodIssue, source: YamlSource, kind: FileKind): readonly Finding[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, SHOWN).map((key) => ({
      ...source.keyPosition(issue.path, key),
      path: dotted([...issue.path, key]),
      message: `there is no such key.${suggestion(key, kind.keysAt(issue.path))}`,
    }));
  }
  const value = valueAt(source.value, issue.path);
  return [{ ...source.position(issue.path), path: dotted(issue.path), message: words(issue, value) }];
}

function words(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined && issue.code !== "invalid_key") return "is missing";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}, not ${kindOf(value)}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}, not ${kindOf(value)}`;
    case "too_small":
      return typeof value === "number" ? `must be at least ${issue.minimum}` : "must not be empty";
    case "too_big":
      return `must be at most ${issue.maximum}${typeof value === "number" ? "" : " long"}`;
    default:
      return issue.message;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return `the text ${quoted(value, 40)}`;
  return typeof value === "number" || typeof value === "boolean"
    ? `the ${typeof value} ${value}`
    : "a mapping";
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) return undefined;
    here = Reflect.get(here, step);
  }
  return here;
}
