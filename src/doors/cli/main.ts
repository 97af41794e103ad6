/** The command line's first file: light, so that help and look-ups are fast. */
import { enableCompileCache } from "node:module";

enableCompileCache();
const { main } = await import("./program.ts");
process.exitCode = await main(process.argv.slice(2));
