/** The floor of the service: bare Hono and ws, which answer with bytes they were given. `service-peer.ts FILE`. */
import { readFileSync } from "node:fs";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type WebSocket, WebSocketServer } from "ws";

interface Answers {
  readonly tasks: string;
  readonly submitted: string;
  /** What a submission, and a burst, sends to all who follow. */
  readonly submission: readonly string[];
  readonly burst: readonly string[];
}

const answers = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Answers;
const followers = new Set<WebSocket>();
const broadcast = (texts: readonly string[]) => {
  for (const text of texts) {
    const bytes = Buffer.from(text);
    for (const each of followers) each.send(bytes, { binary: false });
  }
};
const json = { "content-type": "application/json" };
const app = new Hono();
app.get("/tasks", (c) => c.body(answers.tasks, 200, json));
app.post("/orchestrate", async (c) => {
  await c.req.json();
  broadcast(answers.submission);
  return c.body(answers.submitted, 201, json);
});
app.post("/burst", (c) => {
  broadcast(answers.burst);
  return c.body(null, 204);
});
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
});
server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (each) => {
    followers.add(each);
    each.send('{"type":"subscribed"}');
    each.on("close", () => followers.delete(each));
  });
});
