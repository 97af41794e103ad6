/** `node test/replay/main.ts REPOSITORY [COUNT]`: the newest merges of a real history, replayed. */
import { resolve } from "node:path";
import { replay } from "./replay.ts";

const [source, count = "200"] = process.argv.slice(2);
if (source === undefined || !/^\d+$/.test(count)) {
  process.stderr.write("Usage: node test/replay/main.ts REPOSITORY [COUNT]\n");
  process.exit(2);
}
const { kinds, wrong, ...figures } = await replay(resolve(source), Number(count));
process.stdout.write(`${JSON.stringify({ ...figures, kinds: Object.fromEntries(kinds), wrong }, null, 2)}\n`);
process.exit(wrong.length === 0 ? 0 : 1);
