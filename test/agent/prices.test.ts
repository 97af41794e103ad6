/** Prices of one's own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parsePrices } from "../../src/agent/price-file.ts";
import { createModelSource } from "../../src/agent/providers.ts";

const FILE = `date: 2026-11-21
prices:
  openai_chat:
    qwen3-coder: { input: 0.2, output: 0.8 }
  openai:
    gpt-5: { input: 1, cached_input: 0.1, cache_write: 1.2, output: 8 }
    gpt-5-2026-01-01: { input: 3, output: 9 }
`;

describe("a file of prices", () => {
  const table = parsePrices(FILE, "prices.yaml");

  it("has a date, and a price by provider and model; a dated snapshot costs what its model does", () => {
    expect([table.date, table.models]).toEqual(["2026-11-21", 3]);
    expect(table.of("openai_chat", "qwen3-coder")).toEqual({ input: 0.2, cached_input: 0.2, output: 0.8 });
    expect(table.of("openai", "gpt-5-2026-02-02")?.input).toBe(1);
    expect(table.of("openai", "gpt-5-2026-01-01")?.input).toBe(3);
    expect(table.of("openai", "qwen3-coder")).toBeNull();
    expect(table.of("openai", "constructor")).toBeNull();
  });

  it("holds before the list prices, and on servers that are not the vendor's", () => {
    const vendor = createModelSource({ provider: "openai", apiKey: "sk-test", prices: table });
    expect(vendor.price?.("gpt-5")).toEqual({ input: 1, cached_input: 0.1, cache_write: 1.2, output: 8 });
    expect(vendor.price?.("gpt-5-mini")?.input).toBe(0.25);
    expect(vendor.price?.("no-such-model")).toBeNull();
    const local = createModelSource({
      provider: "openai_chat",
      baseUrl: "http://127.0.0.1:1/v1",
      prices: table,
    });
    expect(local.price?.("qwen3-coder")?.output).toBe(0.8);
    expect(local.price?.("gpt-5")).toBeNull();
  });

  it.each([
    ["prices: {}", "prices.yaml:1:1: date"],
    ["date: soon\nprices: {}", "prices.yaml:1:7: date: must be a date"],
    ["date: 2026-11-21\nprices: { openai: { gpt-5: { input: -1, output: 1 } } }", "prices.yaml:2:"],
    ["date: 2026-11-21\nprices:\n  openai:\n    gpt-5: { inputs: 1, output: 1 }", "prices.yaml:4:14"],
    ["date: [", "prices.yaml:1:"],
  ])("that is wrong says where: %j", (text, where) => {
    expect(() => parsePrices(text, "prices.yaml")).toThrow(
      expect.objectContaining({ code: "setting_invalid", message: expect.stringContaining(where) }),
    );
  });

  it("is shown in the documentation as it is read", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/providers.md"), "utf8");
    const [, example = ""] = /```yaml\n(date:[\s\S]*?)```/.exec(page) ?? [];
    expect(parsePrices(example, "example.yaml").models).toBe(2);
  });
});
