/**
 * The command line of bubblewrap for one confined program. Nothing of the machine is there but what is listed: the
 * system's programs, a few files of /etc, empty /root, /home, /run, /var and /tmp, and what the caller binds.
 */
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import path from "node:path";
import { type Bind, isBelow, realOrNull, SYSTEM_FOLDERS } from "./program-files.ts";

export interface Walls {
  readonly cwd: string;
  /** Absolute folders or files that the program may change, at their own places. */
  readonly writable: readonly string[];
  /** What it may read besides. Over a writable folder it wins where it lies deeper. */
  readonly readOnly: readonly Bind[];
  /** Folders that are empty in the sandbox. */
  readonly hidden: readonly string[];
  readonly network: boolean;
}

/** No key, no password, no token of the machine is in any of these. */
const ETC = [
  "passwd",
  "group",
  "nsswitch.conf",
  "host.conf",
  "hosts",
  "services",
  "protocols",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "ld-musl-x86_64.path",
  "ld-musl-aarch64.path",
  "localtime",
  "timezone",
  "locale.alias",
  "locale.conf",
  "alternatives",
  "ssl/certs",
  "ssl/cert.pem",
  "ssl/openssl.cnf",
  "ca-certificates",
  "pki/tls/certs",
  "pki/tls/cert.pem",
  "pki/tls/openssl.cnf",
  "pki/ca-trust",
  "pki/java",
  "crypto-policies",
  "mime.types",
  "magic",
  "os-release",
  "debian_version",
  "terminfo",
  "inputrc",
  "fonts",
  "perl",
  "python3",
  "python3.11",
  "python3.12",
  "python3.13",
  "java-11-openjdk",
  "java-17-openjdk",
  "java-21-openjdk",
  "java-25-openjdk",
];
/** Only where the network is open. */
const ETC_NETWORK = ["resolv.conf", "gai.conf"];

const EMPTY = ["/root", "/home", "/run", "/var"];
/** Memory that files in each of /tmp, /var/tmp and /dev/shm may take; TMPDIR is on the disk. */
const SCRATCH_BYTES = 512 * 1024 * 1024;

/** `status` is the number of the file descriptor that bubblewrap reports on. */
export function bubblewrapArgs(walls: Walls, argv: readonly string[], status: number): readonly string[] {
  const root = process.getuid?.() === 0;
  return [
    "--unshare-user",
    "--unshare-pid",
    ...(walls.network ? [] : ["--unshare-net"]),
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--cap-drop",
    "ALL",
    "--new-session",
    "--die-with-parent",
    ...systemFolders(),
    ...etcFiles(walls.network),
    ...EMPTY.flatMap((folder) => ["--tmpfs", folder]),
    ...scratch("/tmp"),
    ...scratch("/var/tmp"),
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    ...scratch("/dev/shm"),
    ...mounts(walls),
    // bubblewrap leaves /proc/sys writable, and root needs no capability to write there.
    ...(root ? ["--remount-ro", "/proc"] : []),
    ...["/dev", ...EMPTY, "/"].flatMap((folder) => ["--remount-ro", folder]),
    "--chdir",
    walls.cwd,
    "--json-status-fd",
    String(status),
    "--",
    ...argv,
  ];
}

function scratch(folder: string): string[] {
  return ["--perms", "1777", "--size", String(SCRATCH_BYTES), "--tmpfs", folder];
}

function systemFolders(): string[] {
  return SYSTEM_FOLDERS.flatMap((folder) => {
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    return stats.isSymbolicLink()
      ? ["--symlink", readlinkSync(folder), folder]
      : ["--ro-bind", folder, folder];
  });
}

function etcFiles(network: boolean): string[] {
  return [...ETC, ...(network ? ETC_NETWORK : [])].flatMap((name) => {
    const real = realOrNull(`/etc/${name}`);
    return real === null ? [] : ["--ro-bind", real, `/etc/${name}`];
  });
}

type Mount =
  | readonly [kind: "--tmpfs", to: string]
  | readonly [kind: "--bind" | "--ro-bind", from: string, to: string];

/** What lies above is mounted first, so that what lies below shows; at one place, the later of these lists wins. */
function mounts({ hidden, readOnly, writable }: Walls): string[] {
  const all = new Map<string, Mount>();
  for (const { from, to } of readOnly) all.set(to, ["--ro-bind", from, to]);
  for (const folder of hidden) all.set(folder, ["--tmpfs", folder]);
  for (const folder of writable) all.set(folder, ["--bind", folder, folder]);
  const depth = (to: string) => to.split(path.sep).length;
  // A home that is `/` would bring everything back.
  all.delete("/");
  return [...all]
    .filter(([to, [kind, from]]) => (kind === "--tmpfs" ? isSeen(to, all) : existsSync(from)))
    .sort(([a], [b]) => depth(a) - depth(b))
    .flatMap(([, mount]) => [...mount]);
}

/** A folder that nothing above shows is not there anyway. */
function isSeen(folder: string, all: ReadonlyMap<string, Mount>): boolean {
  return [...all].some(([to, [kind]]) => kind !== "--tmpfs" && to !== folder && isBelow(folder, to));
}

/** What a program with these walls can see at a path of the machine. */
export function isVisible(file: string, { writable, readOnly, hidden }: Walls): boolean {
  const places: [string, boolean][] = [
    ...SYSTEM_FOLDERS.map((folder): [string, boolean] => [folder, true]),
    ...ETC.map((name): [string, boolean] => [`/etc/${name}`, true]),
    ...["/proc", "/dev", "/tmp"].map((folder): [string, boolean] => [folder, false]),
    ...readOnly.map(({ to }): [string, boolean] => [to, true]),
    ...hidden.map((folder): [string, boolean] => [folder, false]),
    ...writable.map((folder): [string, boolean] => [folder, true]),
  ];
  const above = places.filter(([place]) => isBelow(file, place)).sort(([a], [b]) => b.length - a.length);
  return above[0]?.[1] ?? false;
}

/** What bubblewrap says on its status descriptor. */
export interface Status {
  /** The first process of the sandbox, as the machine counts: when it is gone, all of them are. */
  readonly pid: number | null;
  /** False when the program never began. */
  readonly ended: boolean;
}

export function readStatus(text: string): Status {
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  return { pid: pid === undefined ? null : Number(pid), ended: /"exit-code":/.test(text) };
}
