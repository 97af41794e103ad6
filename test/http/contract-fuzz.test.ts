/** Every route of `/openapi.json` is called with what fits its description and with what does not. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { answerChecker, type Operation, operationsOf } from "../support/openapi.ts";
import { broken, type Known, type Request, requestsOf } from "../support/openapi-inputs.ts";
import { sending, startService } from "../support/service.ts";

const TASK = {
  task_id: "known",
  title: "Rename",
  description: "Change src/api/users.js and src/web/page.js.",
};
const PARTS = ["Api::known::1", "Web::known::1"];

/** What is there, so that more than a 404 is met; waits that end; and nothing that would leave this machine. */
const KNOWN: Known = {
  task_id: ["known", "other", "none", "a/b"],
  task: ["known", "Rename it", "src/api/users.js"],
  id: ["known", "other", ...PARTS, "none"],
  subtask: PARTS,
  subtask_id: [...PARTS, "none"],
  agent: ["Api", "Web", "Nobody"],
  target_agent: ["Api", "Nobody"],
  name: ["Web", "New", "..", "a b"],
  ticket: ["known", "of-mine"],
  base: ["main", "nowhere"],
  into: ["main", "nowhere"],
  repository: [],
  topic: ["a.topic"],
  provider: ["openai"],
  events: ["all", ["task_completed"]],
  url: ["https://127.0.0.1:8443/x", "http://plain.example", "nonsense"],
  callback_url: ["https://127.0.0.1:8443/x", "nonsense"],
  wait_ms: [0, 1],
  timeout_ms: [0, 1],
  wait: [false],
  push: [],
  pull_request: [],
  command: [],
  runtime: ["openai_agents"],
  cursor: [],
};
const ODD: Known = { ...KNOWN, cursor: ["x", "W10", "WzEsIngiXQ"] };

/** Ids of an approval, a conversation and a webhook are what the service made of them. */
type Call = (path: string, init?: RequestInit) => Promise<Response>;

async function prepared(call: Call): Promise<Known> {
  const json = async (path: string, init?: RequestInit): Promise<any> => (await call(path, init)).json();
  const send = (path: string, body: object) => json(path, sending("POST", body));
  await send("/orchestrate", TASK);
  await send("/execute/known", { execution_mode: "manual" });
  const { approvals } = await json("/approvals");
  const { conversation_id } = await send("/conversations", { agent: "Api", content: "Hello." });
  const { webhook } = await send("/webhooks", { url: "https://127.0.0.1:8443/x" });
  return {
    approval_id: [...approvals.map((each: any) => each.approval_id), "none"],
    conversation_id: [conversation_id, "none"],
    webhook_id: [webhook.webhook_id, "none"],
  };
}

it("every answer is one that its route declares, none is a defect, and the service goes on", {
  timeout: 90_000,
}, async () => {
  await using service = await startService({ env: { OXBOW_WEBHOOK_ALLOW_PRIVATE: "1" } });
  const ask: Call = (path, init) => fetch(`${service.url}${path}`, init);
  const document: any = await (await ask("/openapi.json")).json();
  const check = answerChecker(document);
  const ids = await prepared(ask);
  const [fitting, odd] = [
    requestsOf(document, { ...KNOWN, ...ids }),
    requestsOf(document, { ...ODD, ...ids }),
  ];
  const answered = new Map<string, number[]>();
  const operations = operationsOf(document);
  // What removes things comes last.
  const isLast = ({ method, template }: Operation) => method === "delete" || /delete|shutdown/.test(template);
  for (const operation of operations.toSorted((a, b) => Number(isLast(a)) - Number(isLast(b)))) {
    const { method, template } = operation;
    const seen: number[] = [];
    answered.set(`${method} ${template}`, seen);
    const call = async ({ path, body }: Request) => {
      const answer = await ask(path, sending(method.toUpperCase(), body));
      seen.push(answer.status);
      await check(operation, answer);
      if (answer.status === 500) throw new Error(`${method} ${path} ${JSON.stringify(body)}`);
    };
    const how = { numRuns: 4, seed: 1_087, endOnFailure: true };
    await fc.assert(fc.asyncProperty(fitting(operation), call), how);
    await fc.assert(fc.asyncProperty(broken(odd(operation)), call), how);
  }
  expect((await ask("/healthz")).status).toBe(200);
  // Else what is made of the description would only be refused.
  const done = [...answered.values()].filter((seen) => seen.some((status) => status < 300));
  expect(done.length).toBeGreaterThan(answered.size / 2);
});
