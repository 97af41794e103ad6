/** The command line's first file: light, so that help and look-ups are fast. */
import { main } from "./program.ts";

process.exitCode = await main(process.argv.slice(2));
