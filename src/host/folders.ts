import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Like `mkdir -p`. Node's own recursive form never returns where the system answers ENOENT for good, as below /proc. */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!existsSync(folder)) throw error;
  }
}
