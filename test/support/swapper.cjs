// Swaps a directory for a link out of the work tree, and files for links, as fast as it can; says "ready" once it does.
const fs = require("node:fs");
const path = require("node:path");
const [tree, outside] = process.argv.slice(2);
const names = fs.readdirSync(tree).filter((name) => name.startsWith("d"));
const quietly = (work) => {
  try {
    work();
  } catch {
    // The other side was faster.
  }
};
function round() {
  for (const name of names) {
    const real = path.join(tree, name);
    const aside = path.join(tree, "..", `aside-${name}`);
    quietly(() => fs.renameSync(real, aside));
    quietly(() => fs.symlinkSync(outside, real));
    quietly(() => fs.unlinkSync(real));
    quietly(() => fs.renameSync(aside, real));
    const file = path.join(real, "sub", "file");
    quietly(() => fs.renameSync(file, `${file}~`));
    quietly(() => fs.symlinkSync(path.join(outside, "sub", "file"), file));
    quietly(() => fs.unlinkSync(file));
    quietly(() => fs.renameSync(`${file}~`, file));
    quietly(() => fs.rmSync(path.join(tree, "aside"), { recursive: true, force: true }));
  }
}
round();
process.stdout.write("ready\n");
for (;;) round();
