// Bundles the libraries that every command loads into a few files under node_modules/.oxbow, once per install: hundreds
// of small modules cost the command line more time to find than to run. The launcher prefers them where they are there;
// without them (no dev dependencies, an older Node) everything works from the packages themselves, only slower to start.
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const LIBRARIES = ["@openai/agents", "commander", "execa", "kysely", "openai", "zod"];
const top = path.resolve(import.meta.dirname, "..");
const made = path.join(top, "node_modules", ".oxbow");
const making = `${made}.${process.pid}`;

async function bundle() {
  const { rolldown } = await import("rolldown");
  const name = (library) => library.replace("@", "").replace("/", "-");
  const input = Object.fromEntries(LIBRARIES.map((library) => [name(library), library]));
  const build = await rolldown({ input, cwd: top, platform: "node", logLevel: "silent" });
  await build.write({
    dir: making,
    format: "esm",
    entryFileNames: "[name].mjs",
    chunkFileNames: "chunk-[hash].mjs",
  });
  await build.close();
  const map = Object.fromEntries(
    LIBRARIES.map((library) => [library, pathToFileURL(path.join(made, `${name(library)}.mjs`)).href]),
  );
  await writeFile(path.join(making, "index.json"), JSON.stringify(map));
  await rm(made, { recursive: true, force: true });
  await rename(making, made);
}

try {
  await mkdir(making, { recursive: true });
  await bundle();
} catch (error) {
  await rm(making, { recursive: true, force: true });
  const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  console.error(`oxbow: libraries are not bundled, so the command line starts more slowly (${reason}).`);
}
