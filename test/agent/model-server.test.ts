/** The test server against the vendor's own client, so that what the other tests stand on is the real protocol. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { type ModelServer, scriptByAgent, startModelServer } from "../support/model-server.ts";

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const answer = { text: "Hello there", calls: [{ name: "look", arguments: { at: "it" } }, { name: "leave" }] };

async function client(): Promise<OpenAI> {
  server = await startModelServer(() => answer);
  return new OpenAI({ apiKey: "k", baseURL: server.url, maxRetries: 0 });
}

describe("the test's model server", () => {
  it("streams the Responses API as the client puts it together", async () => {
    const openai = await client();
    const stream = openai.responses.stream({ model: "m", instructions: "You are Api.", input: "hi" });
    const types = new Set<string>();
    for await (const event of stream) types.add(event.type);
    const response = await stream.finalResponse();
    expect(response.output_text).toBe("Hello there");
    expect(response.output.map((item) => item.type)).toEqual(["message", "function_call", "function_call"]);
    expect(response.usage?.total_tokens).toBe(120);
    for (const type of [
      "response.created",
      "response.output_item.added",
      "response.function_call_arguments.done",
    ]) {
      expect(types).toContain(type);
    }
    expect(server?.requests[0]).toMatchObject({
      wire: "responses",
      agent: "Api",
      task: "hi",
      turn: 1,
      model: "m",
    });
  });

  it("streams Chat Completions as the client puts it together", async () => {
    const openai = await client();
    const stream = openai.chat.completions.stream({
      model: "m",
      messages: [
        { role: "system", content: "You are Api." },
        { role: "user", content: "hi" },
      ],
    });
    const completion = await stream.finalChatCompletion();
    const choice = completion.choices[0];
    expect(choice?.message.content).toBe("Hello there");
    expect(choice?.finish_reason).toBe("tool_calls");
    expect(
      choice?.message.tool_calls?.map((call) => call.type === "function" && call.function.arguments),
    ).toEqual(['{"at":"it"}', "{}"]);
    expect(server?.requests[0]).toMatchObject({ wire: "chat", agent: "Api", task: "hi", turn: 1 });
  });

  it("answers without a stream too", async () => {
    const openai = await client();
    expect((await openai.responses.create({ model: "m", input: "hi" })).output_text).toBe("Hello there");
    const completion = await openai.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
    });
    expect(completion.choices[0]?.message.tool_calls).toHaveLength(2);
  });

  it("tells agents apart although one's name begins another's", async () => {
    const script = scriptByAgent({
      Api: [{ text: "api" }],
      ApiDocs: [{ text: "docs" }],
      default: [{ text: "?" }],
    });
    server = await startModelServer(script);
    const openai = new OpenAI({ apiKey: "k", baseURL: server.url });
    const ask = async (instructions: string) =>
      (await openai.responses.create({ model: "m", instructions, input: "hi" })).output_text;
    expect(await ask("You are Api, of the team.")).toBe("api");
    expect(await ask("You are ApiDocs.")).toBe("docs");
    expect(await ask("You are Lead")).toBe("?");
  });

  it("runs as a process of its own until its stdin ends", async () => {
    const dir = await mkdtemp(join(tmpdir(), "oxbow-server-"));
    try {
      await writeFile(join(dir, "script.json"), JSON.stringify({ Api: [{ text: "ok {{task}}" }] }));
      const main = join(import.meta.dirname, "..", "support", "model-server-main.ts");
      const child = spawn(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        main,
        join(dir, "script.json"),
      ]);
      const [first] = (await once(child.stdout, "data")) as [Buffer];
      const { url } = JSON.parse(first.toString()) as { url: string };
      const openai = new OpenAI({ apiKey: "k", baseURL: url });
      const response = await openai.responses.create({
        model: "m",
        instructions: "You are Api",
        input: "hi",
      });
      expect(response.output_text).toBe("ok hi");
      child.stdin.end();
      const [exit] = (await once(child, "exit")) as [number];
      expect(exit).toBe(0);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
