/** The package as a stranger gets it: packed from a copy of this checkout, installed from the registry, run by any Node. */
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { say } from "./programs.ts";

export const TOP = resolve(import.meta.dirname, "../..");
/** The files of the working tree, with the installed packages beside them: packing leaves this checkout alone. */
export async function copyCheckout(folder: string): Promise<string> {
  const listed = await say("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: TOP,
  });
  for (const name of listed.split("\0").filter(Boolean)) {
    if (name === "node_modules" || !existsSync(join(TOP, name))) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(TOP, name), join(folder, name), { verbatimSymlinks: true });
  }
  symlinkSync(join(TOP, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** `npm pack` in a checkout; the file it made. */
export async function pack(checkout: string, destination: string): Promise<string> {
  mkdirSync(destination, { recursive: true });
  await say("npm", ["pack", "--pack-destination", destination, "--loglevel=error"], {
    cwd: checkout,
    env: network(),
  });
  const [made, ...more] = readdirSync(destination);
  if (made === undefined || more.length > 0) throw new Error(`npm pack left ${[made, ...more].join(", ")}`);
  return join(destination, made);
}

const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"];
/** npm itself would try for minutes where there is no network. */
const PATIENCE = [
  "--prefer-offline",
  "--fetch-retries=1",
  "--fetch-retry-mintimeout=1000",
  "--fetch-retry-maxtimeout=3000",
];

/** Installs into an empty project; why not, when the registry cannot be reached. */
export async function install(project: string, ...packages: readonly string[]): Promise<string | null> {
  mkdirSync(project, { recursive: true });
  if (!existsSync(join(project, "package.json")))
    writeFileSync(
      join(project, "package.json"),
      '{ "name": "project", "private": true, "type": "module" }\n',
    );
  try {
    await say("npm", ["install", ...QUIET, ...PATIENCE, ...packages], { cwd: project, env: network() });
    return null;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const unreachable =
      /E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH)|ENOTCACHED|network/.exec(words);
    if (unreachable === null) throw error;
    return `the npm registry cannot be reached (${unreachable[0]})`;
  }
}

/** How this machine reaches the registry. */
function network(): Record<string, string> {
  const wanted = /^(?:(?:https?|no)_proxy|npm_config_(?:registry|cache|cafile)|node_extra_ca_certs)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) =>
      wanted.test(key) && value !== undefined ? [[key, value]] : [],
    ),
  );
}
