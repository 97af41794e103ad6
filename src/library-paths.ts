/** The safety rules that look at files, with the disk as their default view. */
import { resolve } from "node:path";
import { type CommandOptions, type CommandVerdict, checkCommand as judge } from "./core/check-command.ts";
import { checkPath as check, type PathOp, type PathOptions, type PathVerdict } from "./core/check-path.ts";
import { diskFs } from "./host/disk-fs.ts";

/** May a tool use this path below `root`? Every symlink on the way is followed; without `fs` the disk is looked at. */
export function checkPath(op: PathOp, path: string, options: PathOptions): PathVerdict {
  if (options.fs !== undefined) return check(op, path, options);
  return check(op, path, { ...options, root: resolve(options.root), fs: diskFs });
}

/** May this command line run? It is only judged. Without `fs` the disk is looked at below `root`. */
export function checkCommand(line: string, options: CommandOptions): CommandVerdict {
  if (options.fs !== undefined) return judge(line, options);
  return judge(line, { ...options, root: resolve(options.root), fs: diskFs });
}
