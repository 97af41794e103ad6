/** What is answered is what `/openapi.json` says, for every route that reads. */
import { z } from "zod";
import { expect, it } from "vitest";
import { type CalledService, callService } from "../support/service.ts";

/** Checks a value against a schema of the document. */
function checker(document: any): (schema: unknown, value: unknown) => void {
  const here = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replaceAll("#/components/schemas/", "#/$defs/"));
  const $defs = here(document.components.schemas);
  return (schema, value) => {
    const result = z.fromJSONSchema({ ...here(schema), $defs }).safeParse(value);
    expect(result.error?.issues ?? []).toEqual([]);
  };
}

async function calls(service: CalledService): Promise<readonly [template: string, path: string][]> {
  await service.app.orchestrate({
    task_id: "feature-1",
    title: "Add the export",
    description: "Add it to src/api/users.js, and a button to src/web/page.js.",
  });
  await service.app.split(
    { task: "A part", ticket: "146", children: [{ task: "It", agent: "Api" }] },
    new AbortController().signal,
  );
  const ids = (await service.json("/tasks")).tasks.map((each: any) => each.task_id);
  return [
    ["/tasks", "/tasks"],
    ["/tasks", "/tasks?limit=1"],
    ["/tasks", "/tasks?limit=none"],
    ["/tasks/{task_id}", `/tasks/${ids[0]}`],
    ["/tasks/{task_id}", `/tasks/${ids[1]}`],
    ["/tasks/{task_id}", "/tasks/none"],
    ["/tasks/{task_id}/report", `/tasks/${ids[0]}/report`],
    ["/agents", "/agents"],
    ["/agents", "/agents?health=ill"],
    ["/approvals", "/approvals?all=true"],
    ["/version", "/version"],
  ];
}

it("every answer has the status, type and shape of its route's description", async () => {
  await using service = await callService();
  const document = await service.json("/openapi.json");
  const check = checker(document);
  const made = await calls(service);
  for (const [template, path] of made) {
    const answer = await service.call(path);
    const { responses } = document.paths[template].get;
    const said = responses[String(answer.status)] ?? responses.default;
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    expect([path, Object.keys(said.content)]).toEqual([path, expect.arrayContaining([type])]);
    check(said.content[type].schema, await answer.json());
  }
  const reads = Object.keys(document.paths).filter((path) => "get" in document.paths[path]);
  const tried = new Set(["/healthz", ...made.map(([template]) => template)]);
  expect(reads.filter((path) => !tried.has(path))).toEqual([]);
});
