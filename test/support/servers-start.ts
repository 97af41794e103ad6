/** Starts a Postgres or Redis of one's own from the programs found on the machine, in a folder that the caller removes. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  accessSync,
  chownSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type ServerKind = "postgres" | "redis";

export interface StartedServer {
  readonly url: string;
  /** Starts it again at the same address with the same data. */
  start(): Promise<void>;
  /** As a person would (`fast` for Postgres), or with kill -9. */
  stop(how: "stop" | "kill"): Promise<void>;
  /** For good, at once, leaving nothing in the system behind. */
  end(): Promise<void>;
}

/** Why there is no such server here, in words. */
export class Missing extends Error {}

interface Plan {
  readonly program: string;
  readonly args: readonly string[];
  /** What it says once it takes connections. */
  readonly ready: string;
  readonly stop: NodeJS.Signals;
  /** The quickest end after which no shared memory is left. */
  readonly end: NodeJS.Signals;
  readonly url: string;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

const WORDS = 20;

/** Postgres refuses to run as root. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Missing("this is root, and there is no user postgres or nobody to run it as");
}

/** Debian and Red Hat keep Postgres's programs out of PATH; the newest comes first. */
function versionFolders(): string[] {
  const folders: string[] = [];
  for (const [parent, name] of [
    ["/usr/lib/postgresql", /^\d+$/],
    ["/usr", /^pgsql-\d+$/],
  ] as const) {
    try {
      folders.push(
        ...readdirSync(parent)
          .filter((entry) => name.test(entry))
          .map((entry) => join(parent, entry, "bin")),
      );
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return folders.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function find(program: string): string {
  const folders = [...(process.env["PATH"] ?? "").split(":"), ...versionFolders()];
  const found = folders.map((folder) => join(folder, program)).find(isProgram);
  if (!found) throw new Missing(`there is no program ${program} on this machine`);
  return found;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function lastWords(text: string): string {
  return text.trim().split("\n").slice(-3).join(" / ").slice(-600);
}

async function planPostgres(
  folder: string,
  user: User | undefined,
  options: readonly string[],
): Promise<Plan> {
  const [initdb, program] = [find("initdb"), find("postgres")];
  const password = randomBytes(12).toString("base64url");
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, password);
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const args = [
    "-D",
    data,
    "-U",
    "oxbow",
    "--no-sync",
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
  ];
  const made = spawnSync(initdb, args, {
    ...user,
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "" },
  });
  if (made.status !== 0) throw new Missing(`initdb failed: ${made.error?.message ?? lastWords(made.stderr)}`);
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    full_page_writes: "off",
    max_connections: 300,
    shared_buffers: "32MB",
    log_min_messages: "log",
    lc_messages: "C",
  };
  return {
    program,
    args: [
      "-D",
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ...options,
    ],
    ready: "ready to accept connections",
    stop: "SIGINT",
    end: "SIGQUIT",
    url: `postgres://oxbow:${password}@127.0.0.1:${port}/postgres`,
  };
}

async function planRedis(folder: string, options: readonly string[]): Promise<Plan> {
  const password = randomBytes(12).toString("base64url");
  const port = await freePort();
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--requirepass", password];
  const durable = ["--appendonly", "yes", "--appendfsync", "no", "--save", "", "--databases", "1000"];
  return {
    program: find("redis-server"),
    args: [...args, ...durable, ...options],
    ready: "Ready to accept connections",
    stop: "SIGTERM",
    end: "SIGKILL",
    url: `redis://:${password}@127.0.0.1:${port}`,
  };
}

/** Throws with its last words when it ends instead. */
async function launch(plan: Plan, folder: string, user: User | undefined): Promise<ChildProcess> {
  const child = spawn(plan.program, plan.args, { ...user, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        if (said.length > WORDS) said.shift();
        if (line.includes(plan.ready)) resolve();
      });
    }
    child.once("error", reject);
    child.once("close", () => reject(new Error(lastWords(said.join("\n")))));
  });
  await ready;
  return child;
}

/** Throws Missing when the machine has no such server. `options` are arguments of its program. */
export async function startIn(
  kind: ServerKind,
  folder: string,
  options: readonly string[],
): Promise<StartedServer> {
  const user = unprivileged();
  mkdirSync(folder, { recursive: true });
  if (user) chownSync(folder, user.uid, user.gid);
  const plan =
    kind === "postgres" ? await planPostgres(folder, user, options) : await planRedis(folder, options);
  let child: ChildProcess | null = null;
  let killed = false;
  const signal = async (name: NodeJS.Signals) => {
    const running = child;
    child = null;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const closed = once(running, "close");
    running.kill(name);
    await closed;
  };
  const server: StartedServer = {
    url: plan.url,
    async start() {
      child ??= await launch(plan, folder, user);
      killed = false;
    },
    async stop(how) {
      killed = how === "kill";
      await signal(killed ? "SIGKILL" : plan.stop);
    },
    async end() {
      // A Postgres that was killed leaves shared memory, which only it knows how to find again.
      if (killed && kind === "postgres") await server.start();
      await signal(plan.end);
    },
  };
  await server.start();
  return server;
}
