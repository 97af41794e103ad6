// Runs as npm's `postpack`. The package that people install differs from this checkout: it has no pinned Node, no scripts,
// no development dependencies, and its names point at dist/. It is packed from a copy and takes the place of what npm has
// just written, so package.json itself is never changed, and a pack that dies leaves nothing to restore.
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const top = path.resolve(import.meta.dirname, "..");
const { env } = process;

/** What only this checkout needs. */
const OURS_ALONE = new Set(["private", "scripts", "devDependencies", "optionalDependencies"]);

/** What package.json is for those who install the package. */
function published(manifest) {
  return {
    ...Object.fromEntries(Object.entries(manifest).filter(([key]) => !OURS_ALONE.has(key))),
    engines: { node: "^22.18.0 || >=23.6.0" },
    main: "./dist/src/index.js",
    types: "./dist/src/index.d.ts",
    exports: {
      ".": { types: "./dist/src/index.d.ts", default: "./dist/src/index.js" },
      "./package.json": "./package.json",
    },
  };
}

async function stage(folder) {
  const manifest = JSON.parse(await readFile(path.join(top, "package.json"), "utf8"));
  for (const name of manifest.files) {
    if (existsSync(path.join(top, name)))
      await cp(path.join(top, name), path.join(folder, name), { recursive: true });
  }
  await writeFile(path.join(folder, "package.json"), `${JSON.stringify(published(manifest), null, 2)}\n`);
}

if (env.npm_command === "pack" && env.npm_config_dry_run !== "true") {
  const home = await mkdtemp(path.join(tmpdir(), "oxbow-pack-"));
  try {
    const folder = path.join(home, "package");
    await mkdir(folder);
    await stage(folder);
    const destination = path.resolve(env.INIT_CWD ?? top, env.npm_config_pack_destination ?? ".");
    const args = ["pack", folder, "--ignore-scripts", "--pack-destination", destination, "--loglevel=error"];
    execFileSync(process.execPath, [env.npm_execpath, ...args], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
