import { describe, expect, it } from "vitest";
import { oxbow, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelCall,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, type Shop, SHOP_TEAM } from "../support/shop.ts";
import { BROKEN, CHILDREN, LEAD } from "../support/split-script.ts";

async function runWith(
  shop: Shop,
  script: Record<string, readonly ScriptedReply[]>,
  args: readonly string[],
  env = {},
) {
  await using server = await startModelServer(scriptByAgent(script));
  const ended = await oxbow(["run", "Add request ids", "--ticket", "146", ...args, "--json"], {
    cwd: shop.dir,
    env: {
      OPENAI_BASE_URL: server.url,
      OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
      ANTHROPIC_BASE_URL: server.origin,
      ANTHROPIC_API_KEY: "sk-test-0123456789abcdefghijkl",
      ...env,
    },
  });
  return { ended, report: reportOf(ended), requests: server.requests };
}

/** The last tool result an agent's model was given. */
function lastOutput(requests: readonly ModelCall[], agent: string): any {
  return requests
    .filter((request) => request.agent === agent)
    .at(-1)
    ?.outputs.at(-1);
}

describe.each([
  ["openai", "responses"],
  ["openai_chat", "chat"],
  ["anthropic", "messages"],
])("a lead splits a task in three over %s", (provider, wire) => {
  it("gives each child its part and branch, hears of each end, merges all, and leaves the checkout as it was", async () => {
    using shop = makeShop();
    const before = shop.fingerprint();
    const { ended, report, requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN }, [
      "--provider",
      provider,
      "--model",
      "test-model",
    ]);
    expect([ended.code, report.state]).toEqual([0, "completed"]);
    expect(new Set(requests.map((request) => request.wire))).toEqual(new Set([wire]));
    expect(report.lead).toMatchObject({
      agent: "Lead",
      outcome: "completed",
      branch: null,
      summary: "All three parts are done.",
    });
    expect(
      report.children.map((child: any) => [child.agent, child.outcome, child.branch, child.merged]),
    ).toEqual([
      ["Api", "completed", "feature/146/Api", true],
      ["Web", "completed", "feature/146/Web", true],
      ["Docs", "completed", "feature/146/Docs", true],
    ]);
    expect(shop.at("integration/146", "src/api/request-id.js")).toBe(
      "Api: Add a request id to the API\n\n(Part of the task: Add request ids)\n",
    );
    expect(shop.at("integration/146", "src/web/request-id.js")).toContain("Web: Show the request id");
    expect(shop.at("integration/146", "docs/request-id.md")).toContain("Docs: Explain the request id");

    const heard = lastOutput(requests, "Lead");
    expect(heard).toMatchObject({ ok: true, missing: [] });
    for (const message of Object.values<any>(heard.messages))
      expect(message.message).toMatchObject({ event: "done", outcome: "completed" });

    expect(report.usage.requests).toBe(requests.length);
    expect(report.usage.total_tokens).toBeGreaterThan(0);
    expect(shop.fingerprint()).toBe(before);
    expect(shop.git("worktree", "list").trim().split("\n")).toHaveLength(1);
    expect(`${ended.stdout}${ended.stderr}`).not.toContain("sk-test-0123456789abcdefghijkl");
    expect(ended.lines.filter((line) => line.event === "signal_recv")).toHaveLength(3);
  });

  it("reports a child whose model fails for good, still sends its signal, merges the others, and exits 1", async () => {
    using shop = makeShop();
    const { ended, report, requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Web: BROKEN }, [
      "--provider",
      provider,
      "--model",
      "m",
    ]);
    expect([ended.code, report.state]).toEqual([1, "partial"]);
    const [api, web, docs] = report.children;
    expect([api.merged, docs.merged, web.merged]).toEqual([true, true, false]);
    expect(web).toMatchObject({ outcome: "failed", error: { code: "provider_failed" } });
    expect(web.error.message).toContain("not available to you");
    const heard = lastOutput(requests, "Lead");
    expect(heard.messages[`signal:${web.conversation_id}:done`].message).toMatchObject({
      outcome: "failed",
      agent: "Web",
    });
    expect(shop.at("integration/146", "docs/request-id.md")).toContain("Docs");
  });
});

describe("the models of a team", () => {
  it("are each agent's own, from the provider that team.yaml names for it", async () => {
    const own = SHOP_TEAM.replace(
      "name: Api\n",
      "name: Api\n    provider: anthropic\n    model: claude-a\n",
    ).replace("name: Docs\n", "name: Docs\n    provider: openai_chat\n    model: small\n");
    using shop = makeShop({ team: own.replace("name: Web\n", "name: Web\n    provider: anthropic\n") });
    const { report, requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN }, []);
    expect(report.state).toBe("completed");
    const asked = requests.map(({ agent, wire, model }) => `${agent} ${wire} ${model}`);
    expect([...new Set(asked)].sort()).toEqual([
      "Api messages claude-a",
      "Docs chat small",
      "Lead responses gpt-5-mini",
      "Web messages claude-sonnet-5-5",
    ]);
  });
});

describe("the life of a child", () => {
  it("goes on after a rate limit and a failure of its provider, and tells of both", async () => {
    using shop = makeShop();
    const troubled: ScriptedReply[] = [
      { status: 429, message: "Slow down", headers: { "retry-after": "0.05" }, times: 2 },
      { status: 500, message: "Broken", times: 1 },
      ...(CHILDREN.Api ?? []),
    ];
    const { ended, report } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Api: troubled }, []);
    expect(report.state).toBe("completed");
    const retries = ended.lines.filter((line) => line.event === "retry");
    expect(retries.map((line) => [line.source, line.attempt, /HTTP (\d+)/.exec(line.reason)?.[1]])).toEqual([
      ["Api", 1, "429"],
      ["Api", 2, "429"],
      ["Api", 3, "500"],
    ]);
    expect(retries[0]?.delay_ms).toBeGreaterThanOrEqual(50);
  });

  it("loses nothing when an agent forgets to commit", async () => {
    using shop = makeShop();
    const forgets: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "src/api/new.js", content: "1\n" } }] },
      { text: "Done." },
    ];
    const { report } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Api: forgets }, []);
    expect(report.state).toBe("completed");
    expect(shop.at("integration/146", "src/api/new.js")).toBe("1\n");
  });

  it("refuses a write outside the scope with the owner's name and lets the agent go on", async () => {
    using shop = makeShop();
    const strays: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "docs/mine.md", content: "x" } }] },
      ...(CHILDREN.Api ?? []),
    ];
    const { report, requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Api: strays }, []);
    expect(report.state).toBe("completed");
    const told: any = requests.filter((request) => request.agent === "Api")[1]?.outputs[0];
    expect(told).toMatchObject({ ok: false, error: { code: "out_of_scope" } });
    expect(told.error.message).toContain("belongs to Docs");
  });

  it("works with one place only: a lead that waits gives its place to its children", async () => {
    using shop = makeShop();
    const { ended } = await runWith(shop, { Lead: LEAD, ...CHILDREN }, ["--max-parallel", "1"]);
    expect(ended.code).toBe(0);
  });

  it("starts a dependent child from what it depends on, and fails it when that failed", async () => {
    using shop = makeShop();
    const split: ScriptedReply = {
      calls: [
        {
          name: "orchestrate_split",
          arguments: {
            task: "t",
            wait: true,
            timeout_ms: 20_000,
            children: [
              { task: "first", agent: "Api" },
              { task: "then", agent: "Web", depends_on: [0] },
              { task: "last", agent: "Docs", depends_on: [3] },
              { task: "fails", agent: "Web" },
            ],
          },
        },
      ],
    };
    const web: ScriptedReply[] = [
      (call) =>
        call.task.startsWith("fails")
          ? { status: 400, message: "no" }
          : { calls: [{ name: "read_file", arguments: { path: "src/api/request-id.js" } }] },
      { text: "Read it." },
    ];
    const { report, requests } = await runWith(
      shop,
      { Lead: [split, { text: "ok" }], ...CHILDREN, Web: web },
      [],
    );
    expect(report.children.map((child: any) => [child.agent, child.outcome, child.error?.code])).toEqual([
      ["Api", "completed", undefined],
      ["Web", "completed", undefined],
      ["Docs", "failed", "dependency_failed"],
      ["Web", "failed", "provider_failed"],
    ]);
    const read: any = requests.find((request) => request.agent === "Web" && request.outputs.length > 0)
      ?.outputs[0];
    expect(read.content).toBe("Api: first\n\n(Part of the task: Add request ids)\n");
    const waited = lastOutput(requests, "Lead");
    expect(waited).toMatchObject({ ok: true, wait: { ok: true, running: [] } });
    expect(waited.wait.results).toHaveLength(4);
  });

  it("returns from wait at its time-out with those still running, and they go on", async () => {
    using shop = makeShop();
    const split: ScriptedReply = {
      calls: [
        {
          name: "orchestrate_split",
          arguments: { task: "t", children: [{ task: "slow", agent: "Api" }], wait: true, timeout_ms: 1 },
        },
      ],
    };
    const { report, requests } = await runWith(
      shop,
      { Lead: [split, { text: "I leave it." }], ...CHILDREN },
      [],
    );
    const waited = lastOutput(requests, "Lead");
    expect(waited).toMatchObject({ ok: false, wait: { ok: false, running: waited.topics } });
    expect(report.children[0]).toMatchObject({ outcome: "completed", merged: true });
  });

  it("keeps a killed child's saved edits and goes on with them after --resume", async () => {
    using shop = makeShop();
    const hangs: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "src/api/half.js", content: "half\n" } }] },
      { hang: true },
    ];
    const env = (url: string) => ({ OPENAI_BASE_URL: url, OPENAI_API_KEY: "sk-x" });
    const split: ScriptedReply = {
      calls: [
        { name: "orchestrate_split", arguments: { task: "t", children: [{ task: "half", agent: "Api" }] } },
      ],
    };
    let taskId = "";
    {
      await using server = await startModelServer(
        scriptByAgent({ Lead: [split, { text: "handed out" }], Api: hangs }),
      );
      const running = startOxbow(["run", "Half", "--ticket", "9", "--json"], {
        cwd: shop.dir,
        env: env(server.url),
      });
      const saved = await running.line((line) => line.event === "work_saved");
      taskId = saved.task_id;
      running.kill("SIGKILL");
      await running.ended;
    }
    await using server = await startModelServer(
      scriptByAgent({ Api: [{ text: "Never said." }, { text: "Nothing was left to do." }] }),
    );
    const ended = await oxbow(["run", "--resume", taskId, "--json"], { cwd: shop.dir, env: env(server.url) });
    const report = reportOf(ended);
    expect([ended.code, report.children[0].outcome]).toEqual([0, "completed"]);
    expect(shop.at("integration/9", "src/api/half.js")).toBe("half\n");
    expect(server.requests.map(({ turn }) => turn)).toEqual([2]);
  });
});

describe("AUTO_CHILD_SIGNAL_DONE", () => {
  const own: ScriptedReply[] = [
    (call) => ({
      calls: [
        {
          name: "signal_send",
          arguments: { topic: `signal:${conversationOf(call)}:done`, payload: { mine: true } },
        },
      ],
    }),
    { text: "Sent." },
  ];
  /** The child is told its topic in its brief. */
  function conversationOf(call: { task: string }): string {
    return /signal:(\S+):done/.exec(call.task)?.[1] ?? "";
  }

  it.each([
    ["unset", undefined],
    ["1", "1"],
  ])("%s: the engine owns the done topic and a model's send to it is refused", async (_name, value) => {
    using shop = makeShop();
    const guess: ScriptedReply[] = [
      { calls: [{ name: "signal_send", arguments: { topic: "signal:c_x:done", payload: 1 } }] },
      { text: "ok" },
    ];
    const env = value === undefined ? {} : { AUTO_CHILD_SIGNAL_DONE: value };
    const { report, requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Api: guess }, [], env);
    expect(report.state).toBe("completed");
    expect(lastOutput(requests, "Api")).toMatchObject({ ok: false, error: { code: "topic_reserved" } });
  });

  it("0: the child's own first send is the terminal signal, and the engine sends it for a child that did not", async () => {
    using shop = makeShop();
    const { report, requests, ended } = await runWith(shop, { Lead: LEAD, ...CHILDREN, Api: own }, [], {
      AUTO_CHILD_SIGNAL_DONE: "0",
    });
    expect(ended.code).toBe(0);
    const heard = lastOutput(requests, "Lead");
    const [api, web] = report.children;
    expect(heard.messages[`signal:${api.conversation_id}:done`].message).toEqual({ mine: true });
    expect(heard.messages[`signal:${web.conversation_id}:done`].message).toMatchObject({
      event: "done",
      outcome: "completed",
    });
  });
});

describe("a split that cannot be", () => {
  it.each([
    ["0 children", { task: "t", num_children: 0 }, /split_invalid|tool_input/],
    ["10,000 children", { task: "t", num_children: 10_000 }, /limit_exceeded/],
    ["an agent that is nobody", { task: "t", children: [{ task: "a", agent: "Nobody" }] }, /agent_unknown/],
    [
      "children that wait for each other",
      {
        task: "t",
        children: [
          { task: "a", depends_on: [1] },
          { task: "b", depends_on: [0] },
        ],
      },
      /plan_invalid/,
    ],
    ["another ticket", { task: "t", ticket: "9" }, /split_invalid/],
  ])("%s: the model is told why, and nothing is half-made", async (_name, split, code) => {
    using shop = makeShop();
    const lead: ScriptedReply[] = [
      { calls: [{ name: "orchestrate_split", arguments: split }] },
      { text: "I could not." },
    ];
    const { ended, report, requests } = await runWith(shop, { Lead: lead }, []);
    const told = lastOutput(requests, "Lead");
    expect(told.ok).toBe(false);
    expect(told.error.code).toMatch(code);
    expect(told.error.message.length).toBeGreaterThan(10);
    expect([ended.code, report.children]).toEqual([0, []]);
    expect(shop.git("for-each-ref", "refs/heads/feature", "refs/heads/integration")).toBe("");
  });

  it("is not offered with ENABLE_ORCHESTRATE_TOOL=0, and offered to the lead alone when it is unset", async () => {
    using shop = makeShop();
    const off = await runWith(shop, { Lead: [{ text: "Nothing to do." }] }, [], {
      ENABLE_ORCHESTRATE_TOOL: "0",
    });
    expect(off.requests[0]?.raw).not.toContain("orchestrate_split");
    const { requests } = await runWith(shop, { Lead: LEAD, ...CHILDREN }, []);
    const offered = new Set(
      requests
        .filter(
          (request) =>
            request.raw.includes('"name":"orchestrate_split","description"') ||
            (request.body["tools"] as any[]).some((tool) => tool.name === "orchestrate_split"),
        )
        .map((request) => request.agent),
    );
    expect(offered).toEqual(new Set(["Lead"]));
  });
});

describe("an agent without allowed_paths", () => {
  const team = "team: One\nagents:\n  - name: Solo\n";
  it("may write what is not protected, and is refused where a file instructs others", async () => {
    using shop = makeShop({ team });
    const solo: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "anywhere/new.txt", content: "x\n" } }] },
      { calls: [{ name: "write_file", arguments: { path: ".github/workflows/ci.yml", content: "x\n" } }] },
      { text: "Done." },
    ];
    const { report, requests } = await runWith(shop, { Solo: solo }, []);
    expect(lastOutput(requests, "Solo")).toMatchObject({ ok: false, error: { code: "out_of_scope" } });
    expect(report).toMatchObject({ state: "completed", children: [], lead: { agent: "Solo", merged: true } });
    expect(shop.at("integration/146", "anywhere/new.txt")).toBe("x\n");
  });
});
