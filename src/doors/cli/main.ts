/** The command line's first file: light, so that help and look-ups are fast. */
import { main } from "./program.ts";

/** The output cannot be written any more (`| head`, a full disk): a run hands its work back, anything else ends. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  const closed = error.code === "EPIPE";
  if (!closed) process.stderr.write(`oxbow: The output cannot be written: ${error.message}\n`);
  if (process.listenerCount("SIGHUP") > 0) process.emit("SIGHUP");
  else process.exit(closed ? 0 : 70);
});
process.exitCode = await main(process.argv.slice(2));
