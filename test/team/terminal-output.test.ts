import { describe, expect, it } from "vitest";
import { createRedactor } from "../../src/core/redact.ts";
import { createOutput } from "../../src/team/terminal-output.ts";

const KNOWN = ["first line of a key\nsecond line of it", "correct horse battery staple"];

function outputOf(pieces: readonly string[], capBytes = 100_000) {
  const output = createOutput({
    redactor: createRedactor({ known: KNOWN }),
    patterns: ["order \\d+"],
    capBytes,
  });
  for (const piece of pieces) output.stdout(piece);
  return output.end(10_000);
}

describe("a command's output", () => {
  it("shows no secret of several lines, however it comes", () => {
    const base64 = Buffer.from(KNOWN[1] ?? "").toString("base64");
    const text = `a\n${KNOWN[0]}\nb\n${base64.slice(0, 20)}\n${base64.slice(20)}\npassword: |\n  deep\norder 12\nc\n`;
    const clean = "a\n[REDACTED]\nb\n[REDACTED]\npassword: |\n  [REDACTED]\n[REDACTED]\nc\n";
    expect(outputOf([text]).output).toBe(clean);
    expect(outputOf(Array.from(text)).output).toBe(clean);
    expect(outputOf(text.split(/(?<=\n)/)).output).toBe(clean);
  });

  it("is redacted before it is cut", () => {
    const { output, truncated } = outputOf([`12345 ${KNOWN[1]}`, "x"], 10);
    expect({ output, truncated }).toEqual({ output: "12345 [RED", truncated: true });
  });
});
