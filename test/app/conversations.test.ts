/** Agents that come and go at run time, and people who talk with them, through the calls of an app. */
import { describe, expect, it } from "vitest";
import { openApp, type RunOptions } from "../../src/app.ts";
import { plainEnvironment } from "../support/cli.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const NONE: RunOptions = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
};

const KEY = "sk-test-0123456789abcdefghijkl";

function open(shop: Shop, server?: ModelServer) {
  const env = server === undefined ? {} : { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: KEY };
  return openApp({ repo: shop.dir, env: plainEnvironment(env) });
}

function said(server: ModelServer): unknown[] {
  const input = server.requests.at(-1)?.body["input"];
  return Array.isArray(input) ? input.map((item) => [item.role, textOf(item.content)]) : [];
}

function textOf(content: unknown): string {
  return Array.isArray(content) ? content.map((part) => part.text).join("") : String(content);
}

describe("an agent that is registered at run time", () => {
  it("is of the team in every process, and after a restart", async () => {
    using shop = makeShop();
    await using other = open(shop);
    await other.registry();
    {
      await using app = open(shop);
      const made = await app.createAgent({ name: "Ops", skills: ["docker"], allowed_paths: ["deploy/**"] });
      expect(made).toMatchObject({ name: "Ops", team: "Shop", runtime: "openai_agents" });
      expect((await app.registry()).findOwner("deploy/a.yml")?.agent).toBe("Ops");
    }
    expect((await other.registry()).get("Ops")?.skills).toEqual(["docker"]);
    const cards = await other.agentCards({ capability: "Docker" });
    expect(cards.map(({ name, state }) => [name, state])).toEqual([["Ops", "idle"]]);
  });

  it("is refused where the team file would be wrong, and nothing is changed", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const refused = (words: Parameters<typeof app.createAgent>[0]) =>
      app.createAgent(words).then(
        () => "made",
        (error: { code: string }) => error.code,
      );
    expect(await refused({ name: "api" })).toBe("team_config");
    expect(await refused({ name: "Api" })).toBe("team_config");
    expect(await refused({ name: "Two", allowed_paths: ["src/api/**"] })).toBe("team_config");
    expect(await refused({ name: "Two", allowed_paths: ["../x"] })).toBe("team_config");
    expect(await refused({ name: "Two", runtime: "acp" })).toBe("runtime_not_available");
    expect(await refused({ name: "Two", runtime: "command" })).toBe("team_config");
    expect(await refused({ name: "Two", provider: "nobody" })).toBe("provider_unknown");
    expect(await refused({ name: "Two", instructions: `The key is ${KEY}` })).toBe("team_config");
    expect((await app.agentCards()).map(({ name }) => name)).toEqual(["Lead", "Api", "Web", "Docs"]);
  });

  it("gives its paths free when it is shut down, and comes back under its name", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await app.createAgent({ name: "Ops", allowed_paths: ["deploy/**"] });
    expect(await app.shutDownAgent("Ops")).toMatchObject({ changed: true, handed_back: [], cancelled: [] });
    expect(await app.shutDownAgent("Ops")).toMatchObject({ changed: false });
    expect((await app.registry()).findOwner("deploy/a.yml")).toBeNull();
    await app.createAgent({ name: "Ship", allowed_paths: ["deploy/**"] });
    await expect(app.createAgent({ name: "Ops", allowed_paths: ["deploy/**"] })).rejects.toMatchObject({
      code: "team_config",
    });
    await app.createAgent({ name: "Ops", allowed_paths: ["ops/**"] });
    const states = (await app.agentCards()).map(({ name, state }) => `${name} ${state}`);
    expect(states).toContain("Ops idle");
  });

  it("of the team file is shut down for all, and brought back by its name", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await app.shutDownAgent("Web");
    await using other = open(shop);
    expect((await other.agentCards()).find(({ name }) => name === "Web")).toMatchObject({
      state: "terminated",
      health: "unavailable",
    });
    await expect(other.createAgent({ name: "Web", skills: ["x"] })).rejects.toMatchObject({
      code: "team_config",
    });
    await other.createAgent({ name: "Web" });
    expect((await app.registry()).findOwner("src/web/page.js")?.agent).toBe("Web");
  });
});

describe("an agent that is shut down at work", () => {
  it("hands its work back, which waits for it or for another, and goes on when it is back", async () => {
    using shop = makeShop();
    let hangs = true;
    await using server = await startModelServer(() => (hangs ? { hang: true } : { text: "Done." }));
    await using app = open(shop, server);
    const split = { task: "Do it", children: [{ task: "The part", agent: "Api" }] };
    const alert = Promise.withResolvers<void>();
    const { ended } = await app.start(
      { title: "Do it", ticket: "7", options: NONE, split },
      ({ event }) => event === "alert" && alert.resolve(),
    );
    await server.received(1);
    await using other = open(shop, server);
    const down = await other.shutDownAgent("Api");
    const subtask = async () => (await app.status("7"))[0]?.subtasks[0];
    expect(down.handed_back).toEqual([(await subtask())?.conversation_id]);
    await alert.promise;
    expect(await subtask()).toMatchObject({ state: "blocked", worker: null });
    expect(await app.alerts()).toMatchObject([{ agent: "Api", code: "agent_disabled" }]);
    await expect(
      app.start({
        title: "More",
        options: NONE,
        split: { task: "More", children: [{ task: "x", agent: "Api" }] },
      }),
    ).rejects.toMatchObject({ code: "agent_unavailable" });
    hangs = false;
    await other.createAgent({ name: "Api" });
    expect((await ended)?.state).toBe("completed");
    expect((await subtask())?.outcome).toMatchObject({ outcome: "completed", summary: "Done." });
  });

  it("has its work cancelled, if that is asked for", async () => {
    using shop = makeShop();
    await using server = await startModelServer(() => ({ hang: true }));
    await using app = open(shop, server);
    const split = { task: "Do it", children: [{ task: "The part", agent: "Api" }] };
    const { ended } = await app.start({ title: "Do it", ticket: "7", options: NONE, split });
    await server.received(1);
    const down = await app.shutDownAgent("Api", { cancel: true });
    expect(down.cancelled).toHaveLength(1);
    expect((await ended)?.children.map(({ outcome }) => outcome)).toEqual(["cancelled"]);
  });
});

describe("a person and an agent", () => {
  it("talk: the agent reads the base branch, and knows what was said before", async () => {
    using shop = makeShop();
    await using server = await startModelServer((call) =>
      call.outputs.length === 0
        ? { calls: [{ name: "read_file", arguments: { path: "docs/guide.md" } }] }
        : { text: `It says: ${JSON.stringify(call.outputs)}` },
    );
    await using app = open(shop, server);
    const first = await app.sendMessage({
      to: { agent: "Docs" },
      content: "What is in the guide?",
      waitMs: 20_000,
    });
    expect(first).toMatchObject({
      kind: "dialogue",
      agent: "Docs",
      reply: { type: "reply", sender: "Docs" },
    });
    expect(first.reply?.content).toContain("# Guide");
    expect(JSON.stringify(server.requests[0]?.body["tools"])).not.toContain("write_file");
    const { conversation_id } = first;
    const again = await app.sendMessage({ to: { conversation_id }, content: "And now?", waitMs: 20_000 });
    expect(again.reply?.metadata["in_reply_to"]).toBe(again.message_id);
    const page = await app.conversation(conversation_id, { limit: 3 });
    expect(page.messages.map(({ type, sender }) => `${type} ${sender}`)).toEqual([
      "message Ada <ada@example.com>",
      "reply Docs",
      "message Ada <ada@example.com>",
    ]);
    const rest = await app.conversation(conversation_id, { after: page.next ?? "" });
    expect([rest.messages.length, rest.next]).toEqual([1, null]);
    expect(rest.dialogue).toMatchObject({ agent: "Docs", messages: 4, unanswered: 0, worker: null });
  });

  it("is told with a code why no answer comes", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const sent = await app.sendMessage({ to: { agent: "Api" }, content: "Hello", waitMs: 20_000 });
    expect(sent.reply).toMatchObject({ type: "error", metadata: { error: { code: "provider_missing" } } });
    await expect(app.sendMessage({ to: { agent: "Nobody" }, content: "x" })).rejects.toMatchObject({
      code: "agent_unknown",
    });
    await expect(app.sendMessage({ to: { conversation_id: "c_none" }, content: "x" })).rejects.toMatchObject({
      code: "recipient_unknown",
    });
    await expect(app.sendMessage({ to: { agent: "Api" }, content: "  " })).rejects.toMatchObject({
      code: "tool_input",
    });
    await app.shutDownAgent("Api");
    await expect(app.sendMessage({ to: { agent: "Api" }, content: "x" })).rejects.toMatchObject({
      code: "agent_unavailable",
    });
  });

  it("get one answer for each message, in their order, though many come at once", async () => {
    using shop = makeShop();
    await using server = await startModelServer((call) => ({
      text: `answer to ${textOf(lastUser(call.body["input"]))}`,
    }));
    await using app = open(shop, server);
    const first = await app.sendMessage({ to: { agent: "Api" }, content: "0" });
    const { conversation_id } = first;
    const sent = [];
    for (const n of ["1", "2", "3"])
      sent.push(app.sendMessage({ to: { conversation_id }, content: n, waitMs: 20_000 }));
    const replies = (await Promise.all(sent)).map(({ reply }) => reply?.content);
    expect(replies).toEqual(["answer to 1", "answer to 2", "answer to 3"]);
    const { messages } = await app.conversation(conversation_id);
    const answers = messages.filter(({ type }) => type === "reply").map(({ content }) => content);
    expect(answers).toEqual(["answer to 0", "answer to 1", "answer to 2", "answer to 3"]);
    expect(said(server)).toEqual([
      ["user", "0"],
      ["assistant", "answer to 0"],
      ["user", "1"],
      ["assistant", "answer to 1"],
      ["user", "2"],
      ["assistant", "answer to 2"],
      ["user", "3"],
    ]);
  });

  it("are answered by another process when the first is closed half-way", async () => {
    using shop = makeShop();
    let hang = true;
    await using server = await startModelServer(() => (hang ? { hang: true } : { text: "Here I am." }));
    const first = open(shop, server);
    const { conversation_id } = await first.sendMessage({ to: { agent: "Api" }, content: "Are you there?" });
    await server.received(1);
    hang = false;
    await first.close();
    await using second = open(shop, server);
    const stop = new AbortController();
    const working = second.work({}, stop.signal);
    const next = await second.sendMessage({ to: { conversation_id }, content: "Still?", waitMs: 20_000 });
    expect(next.reply?.content).toBe("Here I am.");
    stop.abort();
    await working;
    const { messages } = await second.conversation(conversation_id);
    expect(messages.map(({ type }) => type).sort()).toEqual(["message", "message", "reply", "reply"]);
  });
});

function lastUser(input: unknown): unknown {
  const items = Array.isArray(input) ? input : [];
  return items.findLast((item) => item.role === "user")?.content;
}
