/** Does bubblewrap work here? It may be installed while the kernel (or a container) forbids what it needs. */
import path from "node:path";
import { bubblewrapArgs, readStatus } from "./bubblewrap.ts";
import { findProgram } from "./program-files.ts";
import { run } from "./process.ts";

export type Bubblewrap =
  | { readonly kind: "bubblewrap"; readonly version: string; readonly file: string }
  | { readonly kind: "none"; readonly reason: string };

const PROBE_MS = 10_000;
/** 0.8 brought what is used of it; 0.7 the sizes. */
const OLDEST: readonly [number, number] = [0, 7];
const probed = new Map<string, Promise<Bubblewrap>>();

/** Once per process, PATH and folder: one that root cannot enter without its power over files cannot be shown. Never rejects. */
export function probeBubblewrap(searchPath: string, folder: string | null): Promise<Bubblewrap> {
  const key = `${searchPath}\0${folder ?? ""}`;
  const known = probed.get(key) ?? probe(searchPath, folder);
  probed.set(key, known);
  return known;
}

async function probe(searchPath: string, folder: string | null): Promise<Bubblewrap> {
  const none = (reason: string): Bubblewrap => ({ kind: "none", reason });
  if (process.platform !== "linux") return none(`there is no bubblewrap for ${process.platform}`);
  const searched = ["/usr/bin", "/usr/local/bin", "/bin", searchPath].join(path.delimiter);
  const found = findProgram("bwrap", searched, "/");
  if ("missing" in found) return none("bubblewrap (bwrap) is not installed");
  const options = { cwd: "/", env: { PATH: "/usr/bin:/bin" }, timeoutMs: PROBE_MS };
  const said = (await run(found.file, ["--version"], options)).stdout.toString("utf8");
  const [, version = "", major = "0", minor = "0"] = /(\S*?(\d+)\.(\d+)\S*)\s*$/.exec(said.trim()) ?? [];
  if (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])
    return none(`bubblewrap ${version || "of an unknown version"} is older than ${OLDEST.join(".")}`);
  const walls = {
    cwd: folder ?? "/",
    writable: folder === null ? [] : [folder],
    readOnly: [],
    hidden: [],
    network: false,
  };
  let status = "";
  const tried = await run(found.file, bubblewrapArgs(walls, ["true"], 3), {
    ...options,
    onStatus: (text) => (status += text),
  });
  if (tried.exitCode === 0 && readStatus(status).ended)
    return { kind: "bubblewrap", version, file: found.file };
  const why = tried.stderr.toString("utf8").trim().split("\n")[0] ?? "";
  return none(`bubblewrap ${version} does not work here: ${why.replace(/^bwrap: /, "") || "no answer"}`);
}
