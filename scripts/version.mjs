// After `changeset version`: the command line and the lockfile say the version that package.json now has.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const top = path.resolve(import.meta.dirname, "..");
const read = (file) => readFileSync(path.join(top, file), "utf8");
const { version } = JSON.parse(read("package.json"));

const program = "src/doors/cli/program.ts";
writeFileSync(
  path.join(top, program),
  read(program).replace(/^const VERSION = ".*";$/m, `const VERSION = "${version}";`),
);

const lock = JSON.parse(read("package-lock.json"));
lock.version = version;
lock.packages[""].version = version;
writeFileSync(path.join(top, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
