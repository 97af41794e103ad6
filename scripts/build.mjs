// Builds dist/ from src/ and tools/: JavaScript for the Node of whoever installs the package, and its types.
import { execFileSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

const top = path.resolve(import.meta.dirname, "..");
const dist = path.join(top, "dist");
const compiler = createRequire(import.meta.url).resolve("typescript/package.json");

await rm(dist, { recursive: true, force: true });
execFileSync(process.execPath, [path.join(compiler, "../bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: top,
  stdio: "inherit",
});

// The compiler leaves `.ts` in the imports of declarations, which not every reader of them resolves.
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".d.ts")) continue;
  const file = path.join(entry.parentPath, entry.name);
  const text = await readFile(file, "utf8");
  const rewritten = text.replace(/((?:from|import)\s*\(?\s*")(\.{1,2}\/[^"\n]*)\.ts"/g, '$1$2.js"');
  if (rewritten !== text) await writeFile(file, rewritten);
}
