/**
 * An MCP server over stdio whose tools do what servers do, well and badly. `silent` as its argument: it never says anything;
 * `broken`: it says why, and ends; `sleeper`: it has started a program that outlives it unless it is ended too.
 */
import { spawn } from "node:child_process";
import { McpServer } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });

export function createTestServer(): McpServer {
  const server = new McpServer({ name: "test", version: "1.0.0" });
  server.registerTool(
    "Echo-It",
    {
      description: "Says it again.",
      inputSchema: z.object({ said: z.string(), times: z.number().int().max(3).optional() }),
    },
    ({ said, times = 1 }) => text(said.repeat(times)),
  );
  server.registerTool("fail", { description: "Fails." }, () => ({ ...text("no such luck"), isError: true }));
  server.registerTool("hang", { description: "Never answers." }, () => new Promise<never>(() => undefined));
  server.registerTool("huge", { description: "Says too much." }, () => text("x".repeat(9 * 1024 * 1024)));
  server.registerTool("picture", { description: "Shows." }, () => ({
    content: [
      { type: "text" as const, text: "here" },
      { type: "image" as const, data: "AAAA", mimeType: "image/png" },
    ],
  }));
  server.registerTool(
    "data",
    { description: "Gives data.", outputSchema: z.object({ n: z.number() }) },
    () => ({ ...text('{"n":1}'), structuredContent: { n: 1 } }),
  );
  server.registerTool("variables", { description: "Names what it was given." }, () =>
    text(Object.keys(process.env).sort().join(" ")),
  );
  server.registerTool(
    "variable",
    { description: "Says one.", inputSchema: z.object({ name: z.string() }) },
    ({ name }) => text(process.env[name] ?? ""),
  );
  server.registerTool("pid", { description: "Its process." }, () => text(String(process.pid)));
  const later = server.registerTool("later", { description: "Comes and goes." }, () => text("there"));
  server.registerTool("forget", { description: "Takes `later` away." }, () => {
    later.remove();
    return text("gone");
  });
  server.registerTool("die", { description: "Ends." }, () => {
    process.stderr.write("out of luck\n");
    process.exit(3);
  });
  server.registerTool("noise", { description: "Writes what is no message." }, () => {
    process.stdout.write('not json\n{"json":"but no message"}\n');
    return text("after the noise");
  });
  return server;
}

async function main(how: string | undefined): Promise<void> {
  if (how === "silent") {
    process.stdin.resume();
    return;
  }
  if (how === "broken") {
    process.stderr.write("the token super-secret-0123456789 is no good\n");
    process.exit(1);
  }
  if (how === "sleeper") {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
    process.env["SLEEPER"] = String(child.pid);
  }
  await createTestServer().connect(new StdioServerTransport());
}

if (process.argv[1] === import.meta.filename) await main(process.argv[2]);
