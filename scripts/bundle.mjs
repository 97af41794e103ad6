// Bundles the libraries that every command loads into a few files under node_modules/.oxbow, once per install: hundreds
// of small modules cost the command line more time to find than to run. The launcher prefers them where they are there;
// without them (no dev dependencies, an older Node) everything works from the packages themselves, only slower to start.
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const LIBRARIES = [
  "@openai/agents",
  "commander",
  "execa",
  "kysely",
  "micromatch",
  "openai",
  "pg",
  "pino",
  "simple-git",
  "yaml",
  "zod",
];
const top = path.resolve(import.meta.dirname, "..");
const made = path.join(top, "node_modules", ".oxbow");
const making = `${made}.${process.pid}`;

const ENTRY = "oxbow-entry:";
const SPAWN = "oxbow-spawn";

/** A library's names as Node itself finds them: a bundled CommonJS package would have a default only. */
async function entryOf(library) {
  const names = Object.keys(await import(library)).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name));
  return `export { ${names.join(", ")} } from ${JSON.stringify(library)};`;
}

/** Commander starts programs only for subcommands in files of their own, which Oxbow has none of. */
const LAZY_SPAWN = `export default { spawn: (...given) => process.getBuiltinModule("node:child_process").spawn(...given) };`;

/**
 * An `import` of a part of Node reads every property of it, also those that load more of Node when they are read:
 * `node:process` opens stdin (4 ms), `node:util` and `node:fs` take 2 to 3 ms. Asked for directly they are not read.
 */
const BUILTIN = /^import (?:\* as )?([\w$]+)?(?:, )?(?:\{([^}]*)\})? from "(node:[\w/]+)";$/gm;
function lightImports(code) {
  return code.replace(BUILTIN, (_, whole, names, from) => {
    const part = `globalThis.process.getBuiltinModule("${from}")`;
    const named = names && `{${names.replaceAll(" as ", ": ")}}`;
    return [whole, named].map((left) => (left ? `const ${left} = ${part};` : "")).join(" ");
  });
}

const light = {
  name: "light",
  resolveId(id, importer = "") {
    if (id.startsWith(ENTRY)) return id;
    return id === "node:child_process" && /[\\/]commander[\\/]/.test(importer) ? SPAWN : null;
  },
  load(id) {
    if (id === SPAWN) return LAZY_SPAWN;
    return id.startsWith(ENTRY) ? entryOf(id.slice(ENTRY.length)) : null;
  },
  renderChunk: (code) => ({ code: lightImports(code), map: null }),
};

async function bundle() {
  const { rolldown } = await import("rolldown");
  const name = (library) => library.replace("@", "").replace("/", "-");
  const input = Object.fromEntries(LIBRARIES.map((library) => [name(library), ENTRY + library]));
  const build = await rolldown({ input, cwd: top, platform: "node", logLevel: "silent", plugins: [light] });
  await build.write({
    dir: making,
    format: "esm",
    entryFileNames: "[name].mjs",
    chunkFileNames: "chunk-[hash].mjs",
    // Only spaces and comments go: names stay as they are in a stack trace.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
  await build.close();
  const map = Object.fromEntries(
    LIBRARIES.map((library) => [library, pathToFileURL(path.join(made, `${name(library)}.mjs`)).href]),
  );
  await writeFile(path.join(making, "index.json"), JSON.stringify(map));
  await rm(made, { recursive: true, force: true });
  await rename(making, made);
}

// Packing runs `prepare` too, and needs no bundles: they are for this checkout.
if (process.env.npm_command === "pack") process.exit(0);

try {
  await mkdir(making, { recursive: true });
  await bundle();
} catch (error) {
  await rm(making, { recursive: true, force: true });
  const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  console.error(`oxbow: libraries are not bundled, so the command line starts more slowly (${reason}).`);
}
