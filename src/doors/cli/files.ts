import { resolve } from "node:path";

/** A path a person typed, from the working directory. */
export function absolutePath(path: string): string {
  return resolve(path);
}
