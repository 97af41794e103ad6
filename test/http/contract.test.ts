/** What is answered is what `/openapi.json` says, for every route that reads. */
import { expect, it } from "vitest";
import { answerChecker, operationsOf } from "../support/openapi.ts";
import { type CalledService, callService, sending } from "../support/service.ts";

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
  const { conversation_id: conversation } = await service.json(
    "/conversations",
    201,
    sending("POST", { agent: "Api", content: "Hello." }),
  );
  const { webhook } = await service.json(
    "/webhooks",
    201,
    sending("POST", { url: "https://127.0.0.1:8443/hook" }),
  );
  await service.json("/signals", 200, sending("POST", { topic: "a.topic", payload: { n: 1 } }));
  return [
    ["/tasks", "/tasks"],
    ["/tasks", "/tasks?limit=1"],
    ["/tasks", "/tasks?limit=none"],
    ["/tasks/{task_id}", `/tasks/${ids[0]}`],
    ["/tasks/{task_id}", `/tasks/${ids[1]}`],
    ["/tasks/{task_id}", "/tasks/none"],
    ["/tasks/{task_id}/report", `/tasks/${ids[0]}/report`],
    ["/tasks/{task_id}/budget", `/tasks/${ids[0]}/budget`],
    ["/tasks/{task_id}/diff", `/tasks/${ids[0]}/diff`],
    ["/agents", "/agents"],
    ["/agents", "/agents?health=ill"],
    ["/approvals", "/approvals?all=true"],
    ["/conversations", "/conversations?agent=Api&limit=5"],
    ["/conversations/{conversation_id}/messages", `/conversations/${conversation}/messages?limit=1`],
    ["/conversations/{conversation_id}/messages", "/conversations/none/messages"],
    ["/owners", "/owners?path=src/api/users.js&path=LICENSE"],
    ["/owners", "/owners"],
    ["/signals", "/signals?topic=a.topic"],
    ["/signals", "/signals?topic=another&timeout_ms=1"],
    ["/webhooks", "/webhooks?of_tasks=true&limit=1"],
    ["/webhooks/{webhook_id}/deliveries", `/webhooks/${webhook.webhook_id}/deliveries`],
    ["/calls", "/calls"],
    ["/events", "/events?after=none"],
    ["/tasks/{task_id}/events", "/tasks/none/events"],
    ["/version", "/version"],
  ];
}

it("every answer has the status, type and shape of its route's description", async () => {
  await using service = await callService({ env: { OXBOW_WEBHOOK_ALLOW_PRIVATE: "1" } });
  const document = await service.json("/openapi.json");
  const check = answerChecker(document);
  const made = await calls(service);
  const reads = operationsOf(document).filter(({ method }) => method === "get");
  for (const [template, path] of made) {
    const operation = reads.find((each) => each.template === template);
    if (operation === undefined) throw new Error(`${template} is not described`);
    await check(operation, await service.call(path));
  }
  const tried = new Set(["/healthz", ...made.map(([template]) => template)]);
  expect(reads.map(({ template }) => template).filter((path) => !tried.has(path))).toEqual([]);
});
