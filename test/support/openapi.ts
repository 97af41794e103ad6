/** The description of the HTTP routes, as a client reads it: what each may answer, and what each takes. */
import { z } from "zod";
import { expect } from "vitest";

export interface Operation {
  readonly method: string;
  /** `/tasks/{task_id}` */
  readonly template: string;
  readonly described: any;
}

export function operationsOf(document: any): readonly Operation[] {
  return Object.entries<any>(document.paths).flatMap(([template, item]) =>
    Object.entries<any>(item).map(([method, described]) => ({ method, template, described })),
  );
}

/** Holds an answer against the description: its status, its type, and the shape of its JSON. Gives the JSON. */
export function answerChecker(document: any): (operation: Operation, answer: Response) => Promise<any> {
  const here = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replaceAll("#/components/schemas/", "#/$defs/"));
  const $defs = here(document.components.schemas);
  const made = new Map<unknown, z.ZodType>();
  const checkOf = (schema: object) => {
    const known = made.get(schema) ?? z.fromJSONSchema({ ...here(schema), $defs });
    made.set(schema, known);
    return known;
  };
  return async ({ method, template, described: { responses } }, answer) => {
    const said = responses[String(answer.status)] ?? responses.default;
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    expect([method, template, Object.keys(said.content)]).toEqual([
      method,
      template,
      expect.arrayContaining([type]),
    ]);
    if (!type.endsWith("json")) {
      // It may be a stream without an end.
      await answer.body?.cancel();
      return null;
    }
    const value = await answer.json();
    const { error } = checkOf(said.content[type].schema).safeParse(value);
    expect([method, template, answer.status, error?.issues ?? []]).toEqual([
      method,
      template,
      answer.status,
      [],
    ]);
    return value;
  };
}
