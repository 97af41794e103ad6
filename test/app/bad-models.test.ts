/** A whole run whose models do all that models and their servers do wrong, over the three wire formats at once. */
import { expect, it } from "vitest";
import { openApp } from "../../src/library.ts";
import type { OxbowEvent } from "../../src/core/events.ts";
import { plainEnvironment } from "../support/cli.ts";
import { checkEvents } from "../support/event-stream.ts";
import { type ModelReply, startModelServer } from "../support/model-server.ts";
import { makeShop } from "../support/shop.ts";

const PARTS = { Api: "src/api", Web: "src/web", Docs: "docs" } as const;
type Agent = keyof typeof PARTS;

const TEAM = `team: Shop
agents:
  - { name: Api, provider: openai, allowed_paths: ["src/api/**"], response_timeout_ms: 2000 }
  - { name: Web, provider: openai_chat, allowed_paths: ["src/web/**"], response_timeout_ms: 2000 }
  - { name: Docs, provider: anthropic, allowed_paths: ["docs/**"], response_timeout_ms: 2000 }
`;

const LINE = `${"x".repeat(99)}\n`;
const HUGE = "A long story. ".repeat(20_000);

/** What is answered to one request after the other, whoever asks again. */
function answersOf(agent: Agent): ModelReply[] {
  const folder = PARTS[agent];
  const write = (name: string) => ({
    name: "write_file",
    arguments: { path: `${folder}/${name}`, content: "1\n" },
  });
  return [
    { status: 429, message: "Slow down", headers: { "retry-after-ms": "20" } },
    { status: 500, message: "Broken" },
    {
      calls: [
        { name: "write_file", arguments: `{"path": "${folder}/torn.txt", "content": "` },
        { name: "launch_rocket", arguments: {} },
        { name: "read_file", arguments: { file: "README.md" } },
      ],
    },
    { calls: [write("half.txt")], cut: "hang_up" },
    { calls: [{ name: "read_file", arguments: { path: `${folder}/big.txt` } }] },
    { calls: [write("half-too.txt")], cut: "end" },
    { calls: [write("whole.txt")] },
    { hang: true },
    { calls: [{ name: "commit", arguments: { message: `Add ${folder}/whole.txt` } }] },
    { text: HUGE },
  ];
}

it("loses nothing, does nothing twice and nothing half, and ends in time", { timeout: 90_000 }, async () => {
  const big = Object.fromEntries(
    Object.values(PARTS).map((folder) => [`${folder}/big.txt`, LINE.repeat(2_000)]),
  );
  using shop = makeShop({ team: TEAM, files: { ...big, "README.md": "# Shop\n" } });
  const answers = new Map(
    Object.keys(PARTS).flatMap((name) => (isAgent(name) ? [[name, answersOf(name)] as const] : [])),
  );
  await using server = await startModelServer(
    ({ agent }) => answers.get(isAgent(agent) ? agent : "Api")?.shift() ?? { text: "Too often." },
  );
  await using app = openApp({
    repo: shop.dir,
    env: plainEnvironment({
      OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
      OPENAI_BASE_URL: server.url,
      ANTHROPIC_API_KEY: "sk-test-0123456789abcdefghijkm",
      ANTHROPIC_BASE_URL: server.origin,
    }),
  });
  const events: OxbowEvent[] = [];
  const report = await app.run("Add a file", {
    ticket: "7",
    by: "owner",
    model: "test-model",
    workers: "none",
    onEvent: (event) => void events.push(event),
  });
  checkEvents([...events, report]);

  expect(report.state).toBe("completed");
  expect([...answers.values()].map((left) => left.length)).toEqual([0, 0, 0]);
  expect(new Set(server.requests.map(({ wire }) => wire)).size).toBe(3);
  for (const [agent, folder] of Object.entries(PARTS)) {
    const own = events.filter(({ source }) => source === agent);
    const of = (name: OxbowEvent["event"]) => own.filter(({ event }) => event === name);
    expect(shop.git("diff", "--name-only", "HEAD", `feature/7/${agent}`).trim().split("\n"), agent).toEqual([
      `${folder}/whole.txt`,
    ]);
    const results = own.flatMap((each) => (each.event === "tool_result" ? [each.code ?? "ok"] : []));
    expect(results.toSorted()).toEqual(["ok", "ok", "ok", "tool_input", "tool_input", "tool_unknown"]);
    // The limit, the failure and the two that broke off; the model that hung cost an attempt.
    expect(of("retry").length).toBe(4);
    expect(of("agent_restarted")).toMatchObject([{ error: { code: "agent_stuck" } }]);
    const child = report.children.find((each) => each.agent === agent);
    expect(child).toMatchObject({ outcome: "completed", merged: true, usage: { requests: 5 } });
    expect(child?.summary.length).toBeLessThanOrEqual(HUGE.length);
    // The tool's 200 kB are cut where they enter the conversation.
    const longest = server.requests.filter((each) => each.agent === agent).map(({ raw }) => raw.length);
    expect(Math.max(...longest)).toBeLessThan(150_000);
  }
});

function isAgent(name: string | null): name is Agent {
  return name !== null && Object.hasOwn(PARTS, name);
}
