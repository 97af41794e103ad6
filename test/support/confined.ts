/** Programs in the sandbox, as root and as a user without rights. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Confinement, SandboxMode } from "../../src/host/sandbox.ts";

export interface ConfinedRequest {
  readonly mode: SandboxMode;
  /** Without one, the sandbox's state is asked for. */
  readonly argv?: readonly string[];
  readonly folder?: string | null;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly confinement: Confinement;
}

export interface User {
  readonly name: string;
  readonly uid: number;
}

export const NOBODY = 65534;

/** Whoever runs the tests. */
export const ME: User = { name: "this user", uid: process.getuid?.() ?? -1 };

/** As root: whether another user can start this very Node. Not from a checkout below a folder of root's own. */
export function nobodyCanRunUs(): boolean {
  return spawnSync(process.execPath, ["-e", "0"], { cwd: "/", uid: NOBODY, gid: NOBODY }).status === 0;
}

/** Who this machine lets us be. */
export function users(): readonly User[] {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) return [{ name: "a user without rights", uid }];
  const root = { name: "root", uid };
  return nobodyCanRunUs() ? [root, { name: "a user without rights", uid: NOBODY }] : [root];
}

const MAIN = join(import.meta.dirname, "confined-main.ts");

/** Its worker was started with a descriptor of this file, as number 40, if one is named. */
export function startConfined(user: User, request: ConfinedRequest, leaked?: string) {
  const identity = process.getuid?.() === 0 ? { uid: user.uid, gid: user.uid } : {};
  const child = spawn(process.execPath, [MAIN, JSON.stringify(request)], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", HOST_SECRET: "s3cret-of-the-host" },
    stdio: ["ignore", "pipe", "pipe", ...(leaked === undefined ? [] : leakedAt(40, leaked))],
    ...identity,
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(() => ({ stdout, stderr }));
  return { child, ended, said: () => stderr };
}

function leakedAt(number: number, file: string): ("ignore" | number)[] {
  return [...Array<"ignore">(number - 3).fill("ignore"), openSync(file, "r")];
}

export async function confined(user: User, request: ConfinedRequest, leaked?: string): Promise<any> {
  const { stdout, stderr } = await startConfined(user, request, leaked).ended;
  if (!stdout.startsWith("{")) throw new Error(`no result: ${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Why the sandbox cannot be tried here, or null. With CI=1 and bubblewrap installed that is a failure instead. */
export async function whyNot(user: User): Promise<string | null> {
  const state = await confined(user, {
    mode: "auto",
    cwd: "/",
    env: {},
    confinement: { writable: [] },
  }).catch((error: unknown) => ({ kind: "none", reason: String(error) }));
  if (state.kind === "bubblewrap") return null;
  if (process.env["CI"] === "1" && existsSync("/usr/bin/bwrap"))
    throw new Error(`bubblewrap is installed, but does not work for ${user.name}: ${state.reason}`);
  return `SKIPPED for ${user.name}: ${state.reason}`;
}

export interface Ground extends Disposable {
  readonly top: string;
  /** Writable in the sandbox. */
  readonly work: string;
  /** The user's home, with a secret in it. */
  readonly home: string;
  dir(name: string): string;
}

/** A folder that belongs to the user, with a workspace and a home in it. */
export function ground(user: User): Ground {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-confined-")));
  const own = (file: string) => {
    if (process.getuid?.() === 0) chownSync(file, user.uid, user.uid);
    return file;
  };
  const dir = (name: string) => {
    const made = join(top, name);
    mkdirSync(made, { recursive: true });
    return own(made);
  };
  chmodSync(own(top), 0o755);
  return {
    top,
    work: dir("work"),
    home: dir("home"),
    dir,
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Processes of this machine with this text on their command line. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text) ? [Number(name)] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}
