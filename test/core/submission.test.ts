import { describe, expect, it } from "vitest";
import { waitsForPerson } from "../../src/core/gates.ts";
import { isServed } from "../../src/core/served-repository.ts";
import { deadlineOf, parseSubmission, taskText } from "../../src/core/submission.ts";
import { SAMPLE } from "../support/seed.ts";

const NOW = Date.parse("2025-11-20T10:00:00Z");
const sent = (over: object = {}) => ({ task_id: "feature-1087", title: "Export invoices", ...over });

describe("a submission", () => {
  it("is the seed's sample, and says what it does not say", () => {
    expect(parseSubmission(SAMPLE)).toEqual(SAMPLE);
    expect(parseSubmission(sent())).toEqual(sent({ description: "", priority: "normal", metadata: {} }));
    expect(parseSubmission(sent({ metadata: { team_room: "4b" } })).metadata).toEqual({ team_room: "4b" });
  });

  it.each([
    ["title", { title: undefined }],
    ["task_id", { task_id: "../x" }],
    ["task_id", { task_id: "a::b" }],
    ["description", { description: 7 }],
    ["metadata.due_date", { metadata: { due_date: "2025-02-30" } }],
    ["metadata.sla_ms", { metadata: { sla_ms: 1.5 } }],
    ["metadata", { metadata: [] }],
    ["metadata", { metadata: { notes: "x".repeat(100_001) } }],
    ["callback_url", { callback_url: "" }],
    ["budget.usd", { budget: { usd: 0 } }],
    ["budget.tokens", { budget: { tokens: 1.5 } }],
    ["budget.wall_ms", { budget: { wall_ms: "5m" } }],
    ["budget", { budget: { hours: 2 } }],
    ["budget", { budget: 5 }],
  ])("names the field that is wrong: %s", (field, over) => {
    expect(() => parseSubmission(sent(over))).toThrow(
      expect.objectContaining({
        code: "request_invalid",
        details: { fields: [{ field, issue: expect.any(String) }] },
      }),
    );
  });

  it("is due at the end of the day it names, or after its time; at the earlier of both", () => {
    const at = (metadata: object) => {
      const due = deadlineOf(parseSubmission(sent({ metadata })).metadata, NOW);
      return due === null ? null : new Date(due).toISOString();
    };
    expect(at({})).toBeNull();
    expect(at({ due_date: "2025-11-22" })).toBe("2025-11-22T23:59:59.999Z");
    expect(at({ due_date: "2025-11-22T18:00:00+02:00" })).toBe("2025-11-22T16:00:00.000Z");
    expect(at({ sla_ms: 60_000 })).toBe("2025-11-20T10:01:00.000Z");
    expect(at({ sla_ms: 60_000, due_date: "2025-11-20" })).toBe("2025-11-20T10:01:00.000Z");
    expect(at({ sla_ms: 60_000, due_date: "2025-11-19" })).toBe("2025-11-19T23:59:59.999Z");
  });

  it("gives the planner its title, its description and its context", () => {
    const text = (over: object) => taskText(parseSubmission(sent(over)));
    expect(text({})).toBe("Export invoices");
    expect(text({ description: "As PDF.\n", metadata: { context: "See docs/pdf.md." } })).toBe(
      "Export invoices\n\nAs PDF.\n\nContext:\nSee docs/pdf.md.",
    );
    expect(text({ metadata: { context: { page: "a4" } } })).toContain('"page": "a4"');
  });
});

describe("the served repository", () => {
  const served = {
    root: "/srv/git/shop",
    urls: ["git@github.com:acme/shop.git", "https://git.example.com:8443/acme/mirror"],
  };
  it.each([
    "/srv/git/shop",
    "/srv/git/shop/",
    "shop",
    "acme/shop",
    "git@github.com:acme/shop.git",
    "https://github.com/acme/shop",
    "ssh://git@github.com/acme/shop.git",
    "https://git.example.com:8443/acme/mirror.git",
    "mirror",
  ])("is known as %s", (name) => {
    expect(isServed(name, served)).toBe(true);
  });
  it.each([
    "",
    " ",
    ".git",
    "hop",
    "git/sho",
    "/srv/git",
    "/shop",
    "other/shop",
    "git@gitlab.com:acme/shop.git",
    "https://github.com/acme/shop2",
    "https://git.example.com/acme/mirror",
    "https://evil.example.com/?x=github.com/acme/shop",
    "../shop",
  ])("is not %s", (name) => {
    expect(isServed(name, served)).toBe(false);
  });
});

it("a task waits for a person when that is all that is left to happen", () => {
  const waits = (...states: Parameters<typeof waitsForPerson>[0][number]["state"][]) =>
    waitsForPerson(states.map((state) => ({ state })));
  expect(waits("awaiting_approval")).toBe(true);
  expect(waits("completed", "awaiting_approval", "blocked", "failed")).toBe(true);
  for (const state of ["planned", "running"] as const) expect(waits(state, "awaiting_approval")).toBe(false);
  expect(waits("completed", "blocked")).toBe(false);
  expect(waits()).toBe(false);
});
