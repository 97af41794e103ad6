/** Whatever is asked, and however: an answer that says what is wrong, and never a defect. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CalledService, callService } from "../support/service.ts";

let service: CalledService;
beforeAll(async () => {
  service = await callService();
});
afterAll(() => service[Symbol.asyncDispose]());

const odd = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("\0", "%00", "%ff", "../..", "a/b", "-1", "1e9", "null", "{}", "WzEsIiJd", "\u202e", "💥"),
);
const path = fc
  .tuple(
    fc.constantFrom(
      "/tasks",
      "/tasks/{}",
      "/tasks/{}/report",
      "/tasks/{}/events",
      "/events",
      "/agents",
      "/approvals",
      "/{}",
      "/healthz",
    ),
    odd,
    fc.dictionary(
      fc.constantFrom(
        "limit",
        "cursor",
        "state",
        "ticket",
        "domain",
        "capability",
        "health",
        "format",
        "all",
        "after",
        "event",
        "follow",
      ),
      odd,
      { maxKeys: 4 },
    ),
  )
  .map(([template, part, query]) => {
    const made = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) made.set(key, value.toWellFormed());
    return `${template.replace("{}", encodeURIComponent(part.toWellFormed()))}?${made.toString()}`;
  });
const header = fc
  .string({ unit: "binary-ascii", maxLength: 60 })
  .map((text) => text.replaceAll(/[^\t -~]/g, ""));

describe("any request", () => {
  it("that reads is answered or refused, each refusal with its code", async () => {
    await fc.assert(
      fc.asyncProperty(path, fc.option(header), async (asked, accept) => {
        const headers = accept === null ? {} : { accept };
        const answer = await service.call(asked, { headers });
        if (answer.status < 400) return;
        const problem: any = await answer.json();
        expect(problem).toMatchObject({ status: answer.status, code: expect.any(String) });
        expect([asked, problem.code, answer.status < 500]).toEqual([asked, problem.code, true]);
      }),
      { numRuns: 150 },
    );
  });

  it("with any Host, Origin, token and body is let in or refused", async () => {
    const headers = fc.record(
      { host: header, origin: header, authorization: header, "content-type": header, "x-request-id": header },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(headers, fc.uint8Array({ maxLength: 200 }), async (given, body) => {
        const init = { method: "POST", headers: given, body: new Uint8Array(body) };
        const answer = await service.call("/tasks", init);
        expect([given, answer.status >= 400 && answer.status < 500]).toEqual([given, true]);
        expect(await answer.json()).toMatchObject({ request_id: answer.headers.get("x-request-id") });
      }),
      { numRuns: 150 },
    );
  });
});
