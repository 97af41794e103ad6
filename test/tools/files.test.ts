import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { OxbowError } from "../../src/core/errors.ts";
import { parseToolInput } from "../../src/agent/tool-input.ts";
import { builtinTools } from "../../tools/index.ts";
import { createMemoryContext, type MemoryContext } from "../support/memory-context.ts";

/** Calls a tool as a model does: by name, with arguments that are checked. */
async function call(context: MemoryContext, name: string, input: unknown): Promise<Json> {
  const tool = builtinTools.find((each) => each.name === name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  return tool.run(parseToolInput(tool, input), context);
}

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("read_file", () => {
  it("gives a file in pieces that put together are the file", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(fc.constantFrom("a", "b\n", "\n", "c\r\n", "é\n", "\uFEFF"), { maxLength: 30 })
          .map((parts) => parts.join("")),
        fc.integer({ min: 1, max: 7 }),
        async (text, limit) => {
          const context = createMemoryContext({ files: { f: text } });
          let whole = "";
          for (let offset: number | null = 1; offset !== null; ) {
            const part = (await call(context, "read_file", { path: "f", offset, limit })) as {
              content: string;
              next_offset: number | null;
            };
            whole += part.content;
            offset = part.next_offset;
          }
          expect(whole).toBe(text);
        },
      ),
    );
  });

  it("counts lines from 1 and says how many there are", async () => {
    const context = createMemoryContext({ files: { f: "one\ntwo\nthree" } });
    expect(await call(context, "read_file", { path: "f", offset: 2, limit: 1 })).toEqual({
      path: "f",
      content: "two\n",
      total_lines: 3,
      next_offset: 3,
    });
    expect(await call(context, "read_file", { path: "f", offset: null, limit: null })).toMatchObject({
      next_offset: null,
    });
    expect(await call(context, "read_file", { path: "f", offset: 9 })).toMatchObject({
      content: "",
      next_offset: null,
    });
    await expect(call(context, "read_file", { path: "f", offset: 0 })).rejects.toEqual(code("tool_input"));
  });

  it("does not give more than a model can take at once", async () => {
    const context = createMemoryContext({
      files: { long: "x".repeat(200_000), many: "line\n".repeat(100_000) },
    });
    const long = (await call(context, "read_file", { path: "long" })) as {
      content: string;
      next_offset: number | null;
    };
    expect(long.content).toMatch(/… \[line cut: 200000 characters\]\n$/);
    expect(long.next_offset).toBeNull();
    const many = (await call(context, "read_file", { path: "many", limit: 90_000 })) as {
      content: string;
      next_offset: number;
    };
    expect(many.content.length).toBeLessThanOrEqual(40_000);
    expect(many.next_offset).toBe(8001);
  });

  it("refuses what is not text", async () => {
    const context = createMemoryContext({
      files: {
        nul: "a\0b",
        latin: new Uint8Array([0x63, 0x61, 0x66, 0xe9]),
        huge: new Uint8Array(6_000_000).fill(97),
      },
    });
    for (const path of ["nul", "latin", "huge"]) {
      await expect(call(context, "read_file", { path })).rejects.toEqual(code("not_text"));
    }
  });
});

describe("edit_file", () => {
  const edit = (context: MemoryContext, old_string: string, new_string: string, more = {}) =>
    call(context, "edit_file", { path: "f", old_string, new_string, ...more });

  it("replaces the one place where the text occurs, taken literally", async () => {
    const context = createMemoryContext({ files: { f: "a.b $& a+b" } });
    expect(await edit(context, "a+b", "$1 $& \\n")).toEqual({ path: "f", replaced: 1 });
    expect(context.text("f")).toBe("a.b $& $1 $& \\n");
  });

  it("changes nothing when the text does not occur, or occurs more than once", async () => {
    const context = createMemoryContext({ files: { f: "x x" } });
    await expect(edit(context, "y", "z")).rejects.toEqual(code("edit_no_match"));
    await expect(edit(context, "x", "z")).rejects.toThrow("occurs 2 times");
    await expect(edit(context, "", "z")).rejects.toEqual(code("tool_input"));
    await expect(edit(context, "x", "x")).rejects.toEqual(code("tool_input"));
    expect(context.text("f")).toBe("x x");
    expect(await edit(context, "x", "z", { replace_all: true })).toEqual({ path: "f", replaced: 2 });
    expect(context.text("f")).toBe("z z");
  });

  it("keeps CRLF in a CRLF file, whichever way the model writes line breaks", async () => {
    for (const [from, to] of [
      ["one\ntwo", "1\n2\n3"],
      ["one\r\ntwo", "1\r\n2\r\n3"],
    ] as const) {
      const context = createMemoryContext({ files: { f: "zero\r\none\r\ntwo\r\n" } });
      await edit(context, from, to);
      expect(context.text("f")).toBe("zero\r\n1\r\n2\r\n3\r\n");
    }
  });

  it("takes a file with mixed line endings exactly as it is", async () => {
    const context = createMemoryContext({ files: { f: "a\r\nb\nc\r\n" } });
    await expect(edit(context, "a\nb", "x")).rejects.toEqual(code("edit_no_match"));
    await edit(context, "b\nc", "b\nd");
    expect(context.text("f")).toBe("a\r\nb\nd\r\n");
  });

  it("leaves every byte outside the edit alone", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        async (before, after) => {
          fc.pre(
            !(before + after).includes("@@") &&
              !(before + after).includes("\0") &&
              !before.endsWith("@") &&
              !after.startsWith("@"),
          );
          const context = createMemoryContext({ files: { f: `${before}@@${after}` } });
          const bytes = context.contents.get("f");
          fc.pre(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) === `${before}@@${after}`);
          await edit(context, "@@", "##");
          expect(context.text("f")).toBe(`${before}##${after}`);
        },
      ),
    );
  });
});

describe("write_file", () => {
  it("creates and replaces, and says which", async () => {
    const context = createMemoryContext({ files: { old: "x" } });
    expect(await call(context, "write_file", { path: "new", content: "é\n" })).toEqual({
      path: "new",
      created: true,
      bytes: 3,
    });
    expect(await call(context, "write_file", { path: "old", content: "" })).toEqual({
      path: "old",
      created: false,
      bytes: 0,
    });
  });

  it("keeps a CRLF file in CRLF, unless the model writes carriage returns itself", async () => {
    const context = createMemoryContext({ files: { f: "a\r\nb\r\n", g: "a\r\n", mixed: "a\r\nb\n" } });
    expect(await call(context, "write_file", { path: "f", content: "1\n2\n" })).toMatchObject({
      line_endings: "crlf",
    });
    expect(context.text("f")).toBe("1\r\n2\r\n");
    await call(context, "write_file", { path: "g", content: "1\r\n2\n" });
    expect(context.text("g")).toBe("1\r\n2\n");
    await call(context, "write_file", { path: "mixed", content: "1\n" });
    expect(context.text("mixed")).toBe("1\n");
  });
});

describe("the other tools", () => {
  it("list, search, move, delete, diff and commit", async () => {
    const context = createMemoryContext({ files: { "a.txt": "one\ntwo\n", "b.txt": "two\n" } });
    expect(await call(context, "list_files", {})).toEqual({
      files: ["a.txt", "b.txt"],
      total: 2,
      truncated: false,
    });
    expect(await call(context, "search_files", { pattern: "^two", glob: null })).toEqual({
      hits: [
        { path: "a.txt", line: 2, text: "two" },
        { path: "b.txt", line: 1, text: "two" },
      ],
      truncated: false,
    });
    expect(await call(context, "commit", { message: "Nothing" })).toMatchObject({ committed: false });
    expect(await call(context, "move_file", { from: "a.txt", to: "c.txt" })).toEqual({
      from: "a.txt",
      to: "c.txt",
      moved: 1,
    });
    expect(await call(context, "delete_file", { path: "b.txt" })).toEqual({ path: "b.txt", deleted: 1 });
    expect(await call(context, "diff", {})).toMatchObject({ truncated: false });
    expect(await call(context, "commit", { message: "Tidy" })).toMatchObject({
      committed: true,
      branch: "feature/1/Api",
    });
    await expect(call(context, "commit", { message: " " })).rejects.toEqual(code("tool_input"));
    expect(await call(context, "team_owner", { path: "src/a.ts" })).toMatchObject({
      owner: { agent: "Api" },
    });
    expect(await call(context, "team_owner", { path: "x" })).toEqual({ path: "x", owner: null });
  });

  it("list at most a thousand files and say so", async () => {
    const files = Object.fromEntries(Array.from({ length: 1001 }, (_each, n) => [`f${n}`, ""]));
    expect(await call(createMemoryContext({ files }), "list_files", {})).toMatchObject({
      total: 1001,
      truncated: true,
    });
  });

  it("split with the parameters that were given and no others", async () => {
    const context = createMemoryContext();
    await call(context, "orchestrate_split", { task: "All", num_children: 3, wait: null, children: null });
    await call(context, "orchestrate_split", {
      task: "All",
      responsibilities: ["build"],
      allowed_paths: ["src/**"],
      wait: true,
      target_agent: "Api",
      timeout_ms: 5,
      children: [
        { task: "a", agent: "Api", allowed_paths: null },
        { task: "b", depends_on: [0] },
      ],
      by: "owner",
      ticket: "146",
    });
    expect(context.splits).toEqual([
      { task: "All", numChildren: 3 },
      {
        task: "All",
        responsibilities: ["build"],
        allowedPaths: ["src/**"],
        wait: true,
        targetAgent: "Api",
        timeoutMs: 5,
        children: [
          { task: "a", agent: "Api" },
          { task: "b", depends_on: [0] },
        ],
        by: "owner",
        ticket: "146",
      },
    ]);
  });

  it("send and wait for signals; a null inside a payload stays", async () => {
    const context = createMemoryContext();
    expect(await call(context, "signal_send", { topic: "t", payload: { a: null } })).toEqual({
      ok: true,
      topic: "t",
      message_id: "1",
    });
    expect(context.sent).toEqual([{ topic: "t", payload: { a: null } }]);
    expect(await call(context, "signal_wait", { topic: "t", last_id: null })).toMatchObject({
      ok: true,
      message: { hi: 1 },
    });
    expect(await call(context, "signal_wait_any", { topics: ["t", "u"] })).toMatchObject({ topic: "t" });
    expect(await call(context, "signal_wait_all", { topics: ["t", "u"], timeout_ms: 7 })).toMatchObject({
      ok: true,
      timeout_ms: 7,
      messages: { t: { ok: true }, u: { ok: true } },
    });
    await expect(call(context, "signal_wait_all", { topics: [] })).rejects.toEqual(code("tool_input"));
  });

  it("go on after one of them has failed", async () => {
    let first = true;
    const context = createMemoryContext({
      overrides: {
        diff: async () => {
          if (first) {
            first = false;
            throw new OxbowError("git_failed", "No.");
          }
          return "";
        },
      },
    });
    const results = await Promise.allSettled([call(context, "diff", {}), call(context, "diff", {})]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });
});

describe("arguments", () => {
  it("that are unknown, missing or of another kind are refused by name", async () => {
    const context = createMemoryContext({ files: { f: "x" } });
    await expect(
      call(context, "edit_file", { path: "f", old_string: "x", new_string: "y", replaceAll: true }),
    ).rejects.toThrow("replaceAll");
    await expect(call(context, "write_file", { path: "f" })).rejects.toThrow("content");
    await expect(call(context, "write_file", { path: "f", content: null })).rejects.toEqual(
      code("tool_input"),
    );
    await expect(call(context, "list_files", [])).rejects.toEqual(code("tool_input"));
    expect(context.text("f")).toBe("x");
  });
});
