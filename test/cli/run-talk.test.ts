import { describe, expect, it } from "vitest";
import { oxbow, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelCall,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const KEY = "sk-test-0123456789abcdefghijkl";
const call = (name: string, args: unknown): ScriptedReply => ({ calls: [{ name, arguments: args }] });

const LEAD: ScriptedReply[] = [
  call("orchestrate_split", {
    task: "{{task}}",
    children: [
      { task: "Rename the list", agent: "Api" },
      { task: "Follow the rename", agent: "Web" },
    ],
  }),
  call("signal_wait_all", { topics: "$last.topics", timeout_ms: 20_000 }),
  { text: "Both are done." },
];
const API: ScriptedReply[] = [
  call("apply_patch", {
    patch: [
      "*** Begin Patch",
      "*** Update File: src/api/users.js",
      "@@",
      "-export const users = [];",
      "+export const people = [];",
      "*** Add File: src/api/people.md",
      "+Renamed.",
      "*** End Patch",
    ].join("\n"),
  }),
  call("todo_create", { title: "Use people in the page", owner: "Web", details: `The key is ${KEY}.` }),
  call("chat_send", { recipient: "Web", content: `users is people now; do not use ${KEY}` }),
  call("signal_send", { topic: "renamed", payload: true }),
  { text: "Renamed." },
];
const WEB: ScriptedReply[] = [
  call("signal_wait", { topic: "renamed", timeout_ms: 20_000 }),
  call("todo_list", { owner: "Web", state: "open" }),
  call("todo_get", { todo_id: "$last.todos[0].todo_id" }),
  call("apply_patch", {
    patch:
      "*** Begin Patch\n*** Update File: src/web/page.js\n@@\n-export const page = 'home';\n+export const page = 'people';\n*** End Patch",
  }),
  call("todo_update", { todo_id: "todo-1", state: "done" }),
  call("chat_send", { recipient: "Lead", content: "The page follows." }),
  { text: "Followed." },
];

async function runWith(
  shop: Shop,
  script: Record<string, readonly ScriptedReply[]>,
  env = {},
  args: string[] = [],
) {
  await using server = await startModelServer(scriptByAgent(script));
  const ended = await oxbow(["run", "Rename users", "--ticket", "5", "--json", ...args], {
    cwd: shop.dir,
    env: { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY, ...env },
  });
  const of = (agent: string) => server.requests.filter((request) => request.agent === agent);
  return { ended, report: reportOf(ended), requests: server.requests, of };
}

/** How often each of an agent's requests holds a text. */
const counts = (requests: readonly ModelCall[], text: string) =>
  requests.map((request) => request.raw.split(text).length - 1);
const names = (request: ModelCall | undefined) =>
  ((request?.body["tools"] ?? []) as any[]).map((tool) => tool.name ?? tool.function.name);

describe.each(["openai", "openai_chat"])("agents that work together over %s", (provider) => {
  it("patch their files, share a todo list, and read what the others write to them", async () => {
    using shop = makeShop();
    const before = shop.fingerprint();
    const { ended, report, of } = await runWith(shop, { Lead: LEAD, Api: API, Web: WEB }, {}, [
      "--provider",
      provider,
    ]);
    expect([ended.code, report.state]).toEqual([0, "completed"]);
    expect(shop.at("integration/5", "src/api/users.js")).toBe("export const people = [];\n");
    expect(shop.at("integration/5", "src/api/people.md")).toBe("Renamed.\n");
    expect(shop.at("integration/5", "src/web/page.js")).toBe("export const page = 'people';\n");
    expect(shop.fingerprint()).toBe(before);

    const web = of("Web");
    // Once in the second request, when it had been sent, and at the same place in those after it.
    const seen = counts(web, "users is people now");
    expect(seen.slice(-5)).toEqual([1, 1, 1, 1, 1]);
    expect(web.at(-1)?.raw).toMatch(/Message from Api \(conversation c_\w+\):/);
    expect(web.at(-1)?.outputs[1]).toMatchObject({
      todos: [
        {
          todo_id: "todo-1",
          title: "Use people in the page",
          owner: "Web",
          created_by: "Api",
          state: "open",
        },
      ],
    });
    expect(web.at(-1)?.outputs[2]).toMatchObject({
      details: expect.stringMatching(/^The key is .*REDACTED/i),
    });
    expect(web.at(-1)?.outputs[4]).toMatchObject({ todo_id: "todo-1", state: "done" });
    expect(counts(of("Lead"), "The page follows.").at(-1)).toBe(1);
    expect(`${ended.stdout}${web.map(({ raw }) => raw).join("")}`).not.toContain(KEY);

    const sent = ended.lines.filter((line) => line["event"] === "message_sent");
    expect(sent.map((line) => [line["source"], line["recipient"]])).toEqual([
      ["Api", "Web"],
      ["Web", "Lead"],
    ]);
    const received = ended.lines.filter((line) => line["event"] === "message_received");
    expect(received.map((line) => [line["source"], line["sender"], line["message_id"]])).toEqual([
      ["Web", "Api", sent[0]?.["message_id"]],
      ["Lead", "Web", sent[1]?.["message_id"]],
    ]);
  });
});

describe("chat_send", () => {
  it("says whom one can write to, and that somebody has ended", async () => {
    using shop = makeShop();
    const lead: ScriptedReply[] = [
      call("orchestrate_split", { task: "t", children: [{ task: "Say nothing", agent: "Api" }] }),
      call("chat_send", { recipient: "Nobody", content: "Hello?" }),
      call("signal_wait", { topic: "$results[0].topics[0]", timeout_ms: 20_000 }),
      call("chat_send", { recipient: "Api", content: "Are you there?" }),
      call("chat_send", { recipient: "$results[0].children[0]", content: "And here?" }),
      call("chat_send", { recipient: "Lead", content: "Myself?" }),
      call("chat_send", { recipient: "Api", content: "x".repeat(20_000) }),
      call("chat_send", { recipient: "Api", content: " " }),
      { text: "Nobody answers." },
    ];
    const { report, of } = await runWith(shop, { Lead: lead, Api: [{ text: "Nothing." }] });
    expect(report.state).toBe("completed");
    const outputs: any[] = [...(of("Lead").at(-1)?.outputs ?? [])];
    expect(outputs.map((output) => output.error?.code)).toEqual([
      undefined,
      "recipient_unknown",
      undefined,
      "recipient_finished",
      "recipient_finished",
      "recipient_unknown",
      "payload_too_large",
      "tool_input",
    ]);
    expect(outputs[1].error.message).toMatch(/You can write to Api \(c_\w+\)\./);
    expect(outputs[3].error.message).toContain("Nobody else is at work.");
  });

  it("reaches a child that has not begun, and is still there, once, when another process goes on with it", async () => {
    using shop = makeShop();
    const split = call("orchestrate_split", {
      task: "t",
      children: [
        { task: "First", agent: "Api" },
        { task: "Then", agent: "Web", depends_on: [0] },
      ],
    });
    const lead = [split, { text: "Handed out." }];
    const api = [
      call("chat_send", { recipient: "Web", content: "It is called people." }),
      { text: "First." },
    ];
    let taskId = "";
    {
      await using server = await startModelServer(
        scriptByAgent({ Lead: lead, Api: api, Web: [call("list_files", {}), { hang: true }] }),
      );
      const running = startOxbow(["run", "Rename", "--json"], {
        cwd: shop.dir,
        env: { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY },
      });
      const received = await running.line((line) => line["event"] === "message_received");
      taskId = received["task_id"];
      await running.line((line) => line["event"] === "tool_result" && line["source"] === "Web");
      running.kill("SIGKILL");
      await running.ended;
      const web = server.requests.filter((request) => request.agent === "Web");
      expect(counts(web, "It is called people.")[0]).toBe(1);
    }
    await using server = await startModelServer(
      scriptByAgent({ Web: [call("list_files", {}), { text: "Then." }] }),
    );
    const ended = await oxbow(["run", "--resume", taskId, "--json"], {
      cwd: shop.dir,
      env: { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY },
    });
    expect(reportOf(ended).children.map((child: any) => child.outcome)).toEqual(["completed", "completed"]);
    expect(counts(server.requests, "It is called people.")).toEqual([1]);
  });

  it("tells of a message that nobody has read because the run of its reader failed", async () => {
    using shop = makeShop();
    const asked = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    const lead: ScriptedReply[] = [
      call("orchestrate_split", { task: "t", children: [{ task: "Fail", agent: "Api" }] }),
      async () => {
        await asked.promise;
        return { calls: [{ name: "chat_send", arguments: { recipient: "Api", content: "Take care." } }] };
      },
      () => {
        told.resolve();
        return { text: "I leave it." };
      },
    ];
    const api: ScriptedReply[] = [
      async () => {
        asked.resolve();
        await told.promise;
        return { status: 400, message: "No." };
      },
    ];
    const { ended } = await runWith(shop, { Lead: lead, Api: api });
    expect(ended.lines.filter((line) => line["event"] === "message_received")).toEqual([]);
    const unread = ended.lines.filter((line) => line["code"] === "message_unread");
    expect(unread.map((line) => line["message"])).toEqual(["Api ended without having read 1 message to it."]);
  });
});

describe("the groups of tools", () => {
  const solo = { Lead: [{ text: "Nothing to do." }] };

  it("are on unless their flag is off", async () => {
    using shop = makeShop();
    const all = names((await runWith(shop, solo)).requests[0]);
    const chat = ["chat_send"];
    const todo = ["todo_create", "todo_get", "todo_list", "todo_update", "todo_delete"];
    expect(all).toEqual(expect.arrayContaining(["apply_patch", ...chat, ...todo]));
    const off = { ENABLE_CHAT_TOOLS: "0", ENABLE_TODO_TOOLS: "0" };
    const left = await runWith(shop, solo, off, ["--ticket", "6"]);
    expect(names(left.requests[0])).toEqual(all.filter((name) => ![...chat, ...todo].includes(name)));
    expect(left.requests[0]?.raw).not.toMatch(/chat_send|todo/);
    const files = await runWith(shop, solo, { ENABLE_FILE_TOOLS: "0" }, ["--ticket", "7"]);
    expect(names(files.requests[0])).not.toContain("apply_patch");
  });

  it("can be chosen tool by tool with AGENT_TOOLS, also where every tool must be named", async () => {
    using shop = makeShop();
    const env = { AGENT_TOOLS: "todo_list,chat_send,apply_patch", AGENT_REQUIRE_EXPLICIT_TOOLS: "1" };
    const { requests } = await runWith(shop, solo, env);
    expect(names(requests[0])).toEqual(["apply_patch", "chat_send", "todo_list"]);
    const none = await runWith(shop, solo, { AGENT_REQUIRE_EXPLICIT_TOOLS: "1" }, ["--ticket", "6"]);
    expect(names(none.requests[0])).toEqual([]);
  });
});
