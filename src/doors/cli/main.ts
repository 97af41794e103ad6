/** The command line's first file: light, so that help and look-ups are fast. */
import { main } from "./program.ts";

/** Nobody reads any more (`| head`): a run hands its work back for --resume; anything else has said enough. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (process.listenerCount("SIGHUP") > 0) process.emit("SIGHUP");
  else process.exit(0);
});
process.exitCode = await main(process.argv.slice(2));
