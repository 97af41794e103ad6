/**
 * The program's entry file: light, so that help and look-ups are fast. Doors never import each other; this file alone
 * knows them all, and hands the command line loaders of those that it starts (docs/decisions/0019).
 */
import { main } from "./cli/program.ts";

/** The output cannot be written any more (`| head`, a full disk): a run hands its work back, anything else ends. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  const closed = error.code === "EPIPE";
  if (!closed) process.stderr.write(`oxbow: The output cannot be written: ${error.message}\n`);
  if (process.listenerCount("SIGHUP") > 0) process.emit("SIGHUP");
  else process.exit(closed ? 0 : 70);
});
let ended = false;
/** Nothing is left that could end it: Node would leave with 0, as if all had gone well. */
process.on("beforeExit", () => {
  if (ended) return;
  process.stderr.write(
    "oxbow: The process ended before its work had. This is a defect in Oxbow; please report it.\n",
  );
  process.exitCode = 70;
  ended = true;
});
const code = await main(process.argv.slice(2), {
  http: async () => {
    const { serve } = await import("./http/serve.ts");
    return {
      async serve(app, options, listening, signal) {
        const { createMcpMount } = await import("./mcp/http.ts");
        const log = await app.log();
        const failed = (error: unknown) => log.error({ error: String(error) }, "mcp");
        const mcp = createMcpMount(app, { version: options.version ?? "", failed, closing: signal });
        try {
          await serve(app, { ...options, mounts: { "/mcp": mcp.handle } }, listening, signal);
        } finally {
          await mcp.close();
        }
      },
    };
  },
  mcp: () => import("./mcp/stdio.ts"),
});
ended = true;
process.exitCode = code;
