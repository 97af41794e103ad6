import { describe, expect, it } from "vitest";
import { escaped, visible } from "../../src/markup.ts";
import { code, plain, reportMarkdown } from "../../src/report-markdown.ts";
import { reportPage } from "../../src/report-page.ts";
import { madeHistory, madePart } from "../support/history.ts";

const SCRIPT = `<script>alert(1)</script>`;
const BREAKOUT = `"'><img src=x onerror=alert(1)>`;
const BIDI = "safe\u202Egnp.exe";

describe("the page of a report", () => {
  it("is one file: no script, no request, a policy that says so, in light, dark and print", () => {
    const page = reportPage(madeHistory());
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(page).not.toMatch(/<script|<link|<iframe|<object|@import|url\((?!#)|\son\w+=|src=|javascript:/i);
    expect(page.match(/https?:\/\/[^"\s]+/g)).toEqual(["http://www.w3.org/2000/svg"]);
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page).toContain("@media print");
    expect(page).toMatch(/<svg[^>]* role="img" aria-labelledby="river-title river-desc"/);
    expect(page).toContain("2 branches left the bed: 1 merged, 1 failed.");
  });

  it("shows what agents wrote, and obeys none of it", () => {
    const part = madePart({
      agent: `${BREAKOUT}${SCRIPT}`,
      branch: `feature/${SCRIPT}`,
      summary: `${SCRIPT}\n${BIDI}`,
      brief: `</pre></details>${SCRIPT}`,
      error: { code: "failed", message: `${SCRIPT} & co` },
      verdict: "escalated",
      reason: SCRIPT,
      conflicts: [
        {
          path: BREAKOUT,
          kind: "content",
          base: null,
          ours: null,
          theirs: null,
          agents: [SCRIPT],
          owners: [SCRIPT],
        },
      ],
    });
    const page = reportPage(madeHistory({ title: `${SCRIPT}${BIDI}`, ticket: BREAKOUT }, [part]));
    expect(page).not.toMatch(/<script|<img|<\/pre><\/details><|\u202E/i);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("safe\u27E8U+202E\u27E9gnp.exe");
    expect(page.split("<svg").length).toBe(2);
  });

  it("says of a task that is at work that this is not all", () => {
    const page = reportPage(
      madeHistory({ live: true, state: "running" }, [madePart({ verdict: "running", ended_at: null })]),
    );
    expect(page).toContain("Work is still going on");
    expect(page).toContain("still running");
  });
});

it("what a barrier weighed is beside the work of whoever asked", () => {
  const usage = { requests: 3, input_tokens: 2_000, output_tokens: 500, total_tokens: 2_500 };
  const history = madeHistory();
  const evidence = {
    subtask_id: "Api::t-1::1",
    at: history.generated_at,
    ok: true,
    barrier_id: "b-1",
    k: 3,
    answers: 2,
    stopped_early: true,
    movement: 0.01,
    consensus: { risk: SCRIPT },
    consensus_valid: true,
    representative: 1,
    agreement: 0.9,
    confidence: 0.75,
    fields: [],
    disagreements: [],
    distances: { mean: 0, max: 0, pairwise: [], runs: [] },
    checks: [],
    runs: [],
    by_agent: { [BREAKOUT]: { runs: 3, answers: 2, usage, cost: 0.01, elapsed_ms: 900 } },
    usage,
    cost: 0.01,
    elapsed_ms: 1_200,
    left_out: [],
  };
  const page = reportPage({
    ...history,
    tasks: history.tasks.map((task) => ({ ...task, evidence: [evidence] })),
  });
  expect(page).toContain("2 of 3 runs answered · confidence 75 % · agreement 90 % · stopped early");
  expect(page).not.toMatch(/<script|<img/i);
});

describe("the Markdown of a report", () => {
  it("is for a pull request: a table, what is not in it, and each agent's words", () => {
    const text = reportMarkdown(madeHistory());
    expect(text).toContain("## Add request ids");
    expect(text).toContain("| Api | ✅ merged | `feature/146/Api` | 1 | 1200 | $0.0024 | 20.0 s |");
    expect(text).toContain("- **Web** failed: It broke");
    expect(text).toContain("```text\nAdded it.\n```");
  });

  it("leaves nobody mentioned, nothing linked and no block broken out of", () => {
    expect(plain("@all #12 [x](http://evil) <b> **bold** `code` a|b")).toBe(
      "@<!-- -->all #<!-- -->12 \\[x\\]\\(http:<!-- -->//evil\\) &lt;b&gt; \\*\\*bold\\*\\* \\`code\\` a\\|b",
    );
    expect(plain("- item")).toBe("\\- item");
    expect(plain("1. item")).toBe("1\\. item");
    expect(code("a`b|c")).toBe("`` a`b\u2502c ``");
    const text = reportMarkdown(
      madeHistory({}, [madePart({ agent: `${SCRIPT}@all`, summary: "```\n````\n</details>\n@all" })]),
    );
    expect(text).toContain("`````text\n```\n````\n</details>\n@all\n`````");
    expect(text).not.toContain("<script");
    expect(text.split("`````text")[0]).not.toContain("@all");
  });

  it("fits into what GitHub takes", () => {
    const parts = Array.from({ length: 100 }, (_, i) =>
      madePart({ agent: `Api${i}`, summary: "word ".repeat(1_000) }),
    );
    const text = reportMarkdown(madeHistory({}, parts));
    expect(text.length).toBeLessThan(65_536);
    expect(text).toContain("| Api99 |");
    expect(text).toContain("oxbow report");
  });
});

describe("text that lies about itself", () => {
  it("is shown by its numbers; line breaks, tabs and emoji stay", () => {
    expect(visible("a\u202Eb\u0000c\u200Bd")).toBe(
      "a\u27E8U+202E\u27E9b\u27E8U+0000\u27E9c\u27E8U+200B\u27E9d",
    );
    expect(visible("a\r\nb\tc 👩‍💻")).toBe("a\nb\tc 👩‍💻");
    expect(escaped(`<&>"'\``)).toBe("&lt;&amp;&gt;&quot;&#39;&#96;");
  });
});
