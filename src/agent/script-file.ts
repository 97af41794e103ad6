/** The form of a script file (docs/scripted.md) and its parser; every problem names its line and column. */
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { OxbowError } from "../core/errors.ts";

const Arguments = z.record(z.string(), z.unknown());
const Call = z.strictObject({ tool: z.string().min(1), arguments: Arguments.default({}) });
const Step = z.union([
  Call,
  z.strictObject({ tools: z.array(Call).min(1) }),
  z.strictObject({ say: z.string() }),
  z.strictObject({ fail: z.string(), status: z.number().int().min(400).max(599).default(400) }),
  z.strictObject({ wait_ms: z.number().min(0) }),
]);
const Steps = z.array(Step);
const Case = z.strictObject({ when: z.string().min(1).optional(), steps: Steps });
const Script = z.strictObject({
  agents: z.record(z.string(), z.unknown()).optional(),
  default: Steps.optional(),
});

export type ScriptStep = z.infer<typeof Step>;
export interface ScriptCase {
  /** Null: always. */
  readonly when: ((task: string) => boolean) | null;
  readonly steps: readonly ScriptStep[];
}
export interface ParsedScript {
  readonly agents: ReadonlyMap<string, readonly ScriptCase[]>;
  readonly fallback: readonly ScriptStep[] | null;
}

const STEP_KEYS = ["tool", "tools", "say", "fail", "wait_ms"];

/** YAML, and so JSON too. Throws script_invalid with `{ file, line, column }`. */
export function parseScript(text: string, file: string): ParsedScript {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail = (message: string, offset: number): never => {
    const { line, col: column } = lines.linePos(offset);
    throw new OxbowError("script_invalid", `${file}:${line}:${column}: ${message}`, {
      details: { file, line, column },
    });
  };
  const [broken] = document.errors;
  if (broken !== undefined) fail(broken.message, broken.pos[0]);
  const offsetOf = (path: readonly PropertyKey[]): number => {
    for (let depth = path.length; depth > 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return document.contents?.range?.[0] ?? 0;
  };
  const check = <T>(schema: z.ZodType<T>, value: unknown, at: readonly PropertyKey[]): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const path = [...at, ...(issue?.path ?? [])];
    const where = path.length === 0 ? "the script" : path.map(String).join(".");
    return fail(`${where}: ${explain(issue)}`, offsetOf(path));
  };
  const regexOf = (when: string, at: readonly PropertyKey[]): ((task: string) => boolean) => {
    const regex = /^\/(.*)\/([a-z]*)$/s.exec(when);
    if (regex === null) return (task) => task.includes(when);
    try {
      const compiled = new RegExp(regex[1] ?? "", (regex[2] ?? "").replace(/[gy]/g, ""));
      return (task) => compiled.test(task);
    } catch (error) {
      return fail(`${at.join(".")}: ${error instanceof Error ? error.message : String(error)}`, offsetOf(at));
    }
  };

  const script = check(Script, document.toJS() ?? {}, []);
  const agents = new Map<string, readonly ScriptCase[]>();
  for (const [name, value] of Object.entries(script.agents ?? {})) {
    const at = ["agents", name];
    if (!isCases(value)) {
      agents.set(name, [{ when: null, steps: check(Steps, value, at) }]);
      continue;
    }
    const cases = check(z.array(Case), value, at);
    agents.set(
      name,
      cases.map(({ when, steps }, index) => ({
        when: when === undefined ? null : regexOf(when, [...at, index, "when"]),
        steps,
      })),
    );
  }
  return { agents, fallback: script.default ?? null };
}

/** A list of cases rather than of steps: its entries have `steps`. */
function isCases(value: unknown): boolean {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return typeof first === "object" && first !== null && ("steps" in first || "when" in first);
}

function explain(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "not valid";
  return issue.code === "invalid_union" ? `a step has one of ${STEP_KEYS.join(", ")}` : issue.message;
}
