// A small codemod: puts an SPDX licence line at the top of each source file it is given, after a `#!` line if there is one.
import { readFileSync, writeFileSync } from "node:fs";

const COMMENT = { ts: "//", mjs: "//", cjs: "//", js: "//", yaml: "#", yml: "#", sh: "#" };
let changed = 0;
for (const file of process.argv.slice(2)) {
  const mark = COMMENT[file.split(".").at(-1) ?? ""];
  if (mark === undefined) continue;
  const text = readFileSync(file, "utf8");
  if (text.includes("SPDX-License-Identifier")) continue;
  const cut = text.startsWith("#!") ? text.indexOf("\n") + 1 : 0;
  writeFileSync(file, `${text.slice(0, cut)}${mark} SPDX-License-Identifier: MIT\n${text.slice(cut)}`);
  changed += 1;
}
console.log(`${changed} of ${process.argv.length - 2} files`);
