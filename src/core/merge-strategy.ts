/**
 * How the answers of several agents become one. The default takes nothing from anybody: the texts are put one after the
 * other, and JSON goes through only when there is exactly one object among all of them.
 */
import type { Json } from "./model.ts";
import { isJsonObject } from "./canonical-json.ts";
import { OxbowError } from "./errors.ts";
import { jsonIn } from "./json-text.ts";

export interface AgentOutput {
  readonly agent: string;
  /** What it said last; "" when it said nothing. */
  readonly output: string;
  /** Its run did not end well. */
  readonly failed: boolean;
}

export interface MergedAnswer {
  readonly output: string;
  /** Null: there is no value that all can stand behind. */
  readonly json: Json;
}

export interface MergeStrategy {
  /** Small letters, digits, dashes and underscores. */
  readonly name: string;
  /** `outputs` are in the order of the agents as they were asked for. What it throws becomes an error of the result. */
  merge(outputs: readonly AgentOutput[], signal: AbortSignal): Promise<MergedAnswer> | MergedAnswer;
}

export const jsonPassthrough: MergeStrategy = {
  name: "json_passthrough",
  merge(outputs) {
    const answered = outputs.filter(({ output, failed }) => !failed && output !== "");
    const objects = answered.flatMap(({ output }) => jsonIn(output).filter(isJsonObject));
    return {
      output: answered.map(({ output }) => output).join("\n\n"),
      json: objects.length === 1 ? (objects[0] ?? null) : null,
    };
  },
};

export interface MergeStrategies {
  /** Throws usage for a name that is taken or no name. */
  register(strategy: MergeStrategy): void;
  /** Default: `json_passthrough`. Throws usage for one that does not exist. */
  get(name?: string): MergeStrategy;
  names(): readonly string[];
}

/** `below`: also has its strategies; what is registered here stays out of it. */
export function createMergeStrategies(below?: MergeStrategies): MergeStrategies {
  const known = new Map(below === undefined ? [[jsonPassthrough.name, jsonPassthrough]] : []);
  const names = () => [...new Set([...(below?.names() ?? []), ...known.keys()])];
  return {
    names,
    register(strategy) {
      if (!/^[a-z][a-z0-9_-]{0,63}$/.test(strategy.name) || typeof strategy.merge !== "function")
        throw new OxbowError("usage", "A merge strategy needs a name in small letters and a `merge`.", {
          hint: 'Write { name: "newest", merge: (outputs) => ({ output, json }) }.',
        });
      if (names().includes(strategy.name))
        throw new OxbowError("usage", `There is a merge strategy named ${strategy.name} already.`, {
          hint: "Give the new one another name.",
        });
      known.set(strategy.name, strategy);
    },
    get(name = jsonPassthrough.name) {
      const found = known.get(name);
      if (found) return found;
      if (below?.names().includes(name) === true) return below.get(name);
      throw new OxbowError("usage", `There is no merge strategy ${JSON.stringify(name)}.`, {
        hint: `There are: ${names().join(", ")}.`,
      });
    },
  };
}
