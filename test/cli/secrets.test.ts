import { expect, it } from "vitest";
import { oxbow, startOxbow } from "../support/cli.ts";
import { findLeaks, stateFiles } from "../support/leaks.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

/** A value of the environment that no shape gives away, and one whose name does. */
const KEY = "the-plain-sesame-of-these-tests";
const ENV_SECRET = "Zugang4711+geheim";

const shapes: Readonly<Record<string, (n: string) => string>> = {
  github: (n) => `ghp_${n.repeat(4)}abcdefghijklmnopqrstuvwxyz`,
  openai: (n) => `sk-proj-${n.repeat(4)}abcdefghijklmnopqrstu`,
  aws: (n) => `AKIA${n.repeat(4)}ABCDEFGHIJKLMNOP`.slice(0, 20),
  jwt: (n) => `eyJhbGciOiJIUzI1${n}.eyJzdWIiOiIxMjM0${n}.c2lnbmF0dXJl${n}`,
  assigned: (n) => `hunter${n}-Tr0ub4dor`,
};
let planted = 0;
const secrets: Record<string, string> = { KEY, ENV_SECRET };
/** A text to put into a door, with a secret of each kind; those of each door are its own. */
function plant(door: string): string {
  const n = String(10 + planted++);
  for (const [kind, make] of Object.entries(shapes)) secrets[`${door}/${kind}`] = make(n);
  const { github, openai, aws, jwt, assigned } = Object.fromEntries(
    Object.entries(shapes).map(([kind, make]) => [kind, make(n)]),
  );
  return `${door}: ${github} ${openai} ${aws} ${jwt} password=${assigned} ${KEY} ${ENV_SECRET}`;
}

const call = (name: string, args: unknown): ScriptedReply => ({ calls: [{ name, arguments: args }] });

it("no secret that comes in by any door is left in state, events, refs or output", async () => {
  // Two pieces of one private key, written apart.
  secrets["pem"] = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC1";
  secrets["pem end"] = "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj2";
  const program = [
    `process.stdout.write(process.env.SAID + "\\n-----BEGIN PRIVATE KEY-----\\n${secrets["pem"]}\\n", () => setTimeout(() => {`,
    `process.stdout.write("${secrets["pem end"]}\\n-----END PRIVATE KEY-----\\n"); process.stderr.write(process.env.SAID + "\\n"); process.exit(3); }, 300));`,
  ].join(" ");
  const team = `${SHOP_TEAM}  - name: Format
    runtime: command
    command: ["node", "format.cjs"]
    allowed_paths: ["fmt/**"]
    sandbox: { env: [SAID] }
`.replace("  - name: Api\n", `  - name: Api\n    instructions: ${JSON.stringify(plant("instructions"))}\n`);
  using shop = makeShop({
    team,
    files: { "src/api/config.js": `${plant("file")}\n`, "format.cjs": program, "fmt/x": "x\n" },
  });
  const said = plant("program");
  const lead: ScriptedReply[] = [
    call("orchestrate_split", {
      task: plant("split"),
      responsibilities: [plant("responsibility")],
      children: [
        { task: plant("child"), agent: "Api" },
        { task: "Format", agent: "Format" },
      ],
    }),
    call("signal_wait_all", { topics: "$last.topics", timeout_ms: 30_000 }),
    { text: plant("last answer") },
  ];
  const api: ScriptedReply[] = [
    call("read_file", { path: "src/api/config.js" }),
    (request) => ({
      text: `I read ${JSON.stringify(request.outputs.at(-1))}`,
      calls: [{ name: "list_files", arguments: { glob: plant("argument") } }],
    }),
    {
      calls: [
        { name: "search_files", arguments: { pattern: plant("pattern") } },
        { name: "todo_create", arguments: { title: plant("todo title"), details: plant("todo details") } },
        { name: "todo_update", arguments: { todo_id: "todo-1", details: plant("todo update") } },
        { name: "chat_send", arguments: { recipient: "Lead", content: plant("chat") } },
        { name: "chat_send", arguments: { recipient: plant("recipient"), content: "x" } },
        {
          name: "signal_send",
          arguments: {
            topic: "news",
            payload: { note: plant("payload"), api_key: plant("payload key"), [plant("key name")]: 1 },
          },
        },
        { name: "signal_send", arguments: { topic: plant("topic").replaceAll(" ", "/"), payload: 1 } },
        { name: "scope_request", arguments: { paths: ["src/web/page.js"], reason: plant("reason") } },
        { name: "scope_request", arguments: { paths: [plant("asked path")], reason: "r" } },
        { name: "write_file", arguments: { path: "src/api/mine.js", content: "mine\n" } },
        { name: "write_file", arguments: { path: `${plant("path")}/../x`, content: "x" } },
        {
          name: "edit_file",
          arguments: { path: "src/api/mine.js", old_string: plant("edit"), new_string: "x" },
        },
        { name: "apply_patch", arguments: { patch: plant("patch") } },
        { name: "commit", arguments: { message: `${plant("message")}\n\n${plant("message body")}` } },
        { name: `tool_${secrets["message/github"] ?? ""}`, arguments: {} },
      ],
    },
    call("signal_wait", { topic: "news", timeout_ms: 1000 }),
    call("write_file", { path: "src/api/more.js", content: "more\n" }),
    { status: 503, message: plant("provider"), times: 1 },
    { status: 400, message: plant("provider's refusal") },
  ];
  const web: ScriptedReply[] = [call("scope_answer", { grant: true, reason: plant("owner's answer") })];
  await using server = await startModelServer(scriptByAgent({ Lead: lead, Api: api, Web: web }));
  const env = {
    OPENAI_BASE_URL: server.url,
    OPENAI_API_KEY: KEY,
    MY_SERVICE_PASSWORD: ENV_SECRET,
    SAID: said,
    OXBOW_LOG_LEVEL: "debug",
  };
  const options = { cwd: shop.dir, env };
  const running = startOxbow(["run", `Do it. ${plant("task")}`, "--ticket", "3", "--json"], options);
  const ended = await running.ended;
  expect(ended.lines.at(-1)).toMatchObject({ event: "report", state: "partial" });
  expect(ended.lines.filter((line) => line["event"] === "commit").length).toBeGreaterThan(1);
  expect(ended.lines.some((line) => line["event"] === "command_output")).toBe(true);

  const texts: Record<string, string> = { "run stdout": ended.stdout, "run stderr": ended.stderr };
  const commands: [string, ...string[]][] = [
    [
      "run",
      plant("plain run"),
      "--by",
      "owner",
      "--ticket",
      "4",
      "--runtime",
      "command",
      "--command",
      "node format.cjs",
    ],
    [
      "run",
      plant("command"),
      "--by",
      "owner",
      "--runtime",
      "command",
      "--command",
      `node x ${plant("command line")}`,
    ],
    ["run", plant("plan"), "--dry-run"],
    ["run", plant("plan json"), "--dry-run", "--json"],
    ["run", "x", "--base", plant("base")],
    ["run", "--resume", plant("resume")],
    ["status"],
    ["status", "--json"],
    ["status", plant("status")],
    ["approvals", "list", "--all", "--json"],
    ["approvals", "list", "--all"],
    ["approvals", "grant", plant("approval")],
    ["signal", "send", "other", JSON.stringify({ a: plant("signal"), password: plant("signal key") })],
    ["signal", "wait", "other", "--timeout-ms", "1", "--json"],
    ["signal", "wait", "news", "--timeout-ms", "1"],
    ["signal", "send", "bad", plant("bad payload")],
    ["owner", `${plant("owner")}/../..`],
    ["scope", "check", plant("scope")],
    ["env"],
    ["env", "--json"],
    ["doctor"],
    ["doctor", "--json", "--team", plant("team file")],
    ["nonsense", plant("word")],
    ["status", `--${plant("flag")}`],
  ];
  for (const args of commands) {
    const { stdout, stderr } = await oxbow(args, options);
    texts[args.slice(0, 2).join(" ")] = `${texts[args.slice(0, 2).join(" ")] ?? ""}${stdout}${stderr}`;
  }
  expect(stateFiles(shop.dir).some((file) => file.endsWith("orchestrator.log"))).toBe(true);
  expect(stateFiles(shop.dir).some((file) => file.endsWith(".db"))).toBe(true);
  expect(findLeaks(shop.dir, secrets, texts)).toEqual([]);
  // What is no secret stays: ids, the task's own words.
  expect(texts["status --json"]).toContain("Do it. task: ");
}, 180_000);
