import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programFiles, trustedPath } from "../../src/host/program-files.ts";
import {
  confined,
  type ConfinedRequest,
  type Ground,
  ground,
  processesWith,
  startConfined,
  type User,
  users,
  whyNot,
} from "../support/confined.ts";

const PATH = "/usr/bin:/bin";

/** A shell script in the sandbox, with what the workspace may do. */
function shell(user: User, on: Ground, script: string, more: Partial<ConfinedRequest> = {}) {
  const { confinement, ...rest } = more;
  return confined(user, {
    mode: "required",
    argv: ["sh", "-c", script],
    cwd: on.work,
    env: { PATH, HOME: on.work },
    ...rest,
    confinement: { writable: [on.work], home: on.home, ...confinement },
  });
}

async function listening(server: Server, where: string | number): Promise<Server> {
  server.listen(where as string);
  await once(server, "listening");
  return server;
}

describe.each(users())("a program of $name in the sandbox", (user) => {
  const inside = (name: string, body: (on: Ground) => Promise<void>) =>
    it(name, async ({ skip }) => {
      const reason = await whyNot(user);
      if (reason !== null) return skip(reason);
      using on = ground(user);
      await body(on);
    });

  inside("changes its workspace, and nothing outside", async (on) => {
    writeFileSync(join(on.home, "file"), "mine");
    const outside = [
      on.top,
      on.home,
      "/usr",
      "/etc",
      "/",
      "/home",
      "/root",
      "/var",
      "/run",
      "/opt",
      "/proc/sys/kernel",
    ];
    const tries = outside
      .map((place) => `(echo x > ${place}/oxbow-was-here) 2>/dev/null && echo wrote ${place}`)
      .join("; ");
    const result = await shell(user, on, `echo in > made; ${tries}; true`);
    expect(result).toMatchObject({ exitCode: 0, sandbox: "bubblewrap" });
    expect(readFileSync(join(on.work, "made"), "utf8")).toBe("in\n");
    for (const place of outside) expect(existsSync(`${place}/oxbow-was-here`), place).toBe(false);
  });

  inside("cannot make a read-only mount writable, nor mount or see through one", async (on) => {
    const shown = on.dir("shown");
    writeFileSync(join(shown, "file"), "as it was");
    const script = `
      for m in ${shown} /usr / /proc; do
        mount -o remount,rw $m; mount -o remount,bind,rw $m; umount -l $m
        unshare -Urm sh -c "mount -o remount,bind,rw $m; umount -l $m; mount -t tmpfs none $m"
      done 2>/dev/null
      unshare -Urmpf sh -c 'mount -t proc proc /tmp; echo oxbow > /tmp/sys/kernel/domainname' 2>/dev/null
      echo changed > ${shown}/file; echo changed > /usr/oxbow-was-here; cat ${shown}/file`;
    const domain = readFileSync("/proc/sys/kernel/domainname", "utf8");
    const result = await shell(user, on, script, { confinement: { writable: [on.work], readOnly: [shown] } });
    expect(readFileSync("/proc/sys/kernel/domainname", "utf8")).toBe(domain);
    expect(result.stdout).toBe("as it was");
    expect(readFileSync(join(shown, "file"), "utf8")).toBe("as it was");
    expect(existsSync("/usr/oxbow-was-here")).toBe(false);
  });

  inside("has no capability, and cannot set the kernel's variables", async (on) => {
    const before = readFileSync("/proc/sys/kernel/domainname", "utf8");
    const result = await shell(
      user,
      on,
      "grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status; (echo oxbow > /proc/sys/kernel/domainname) 2>/dev/null && echo wrote; grep NoNewPrivs /proc/self/status",
    );
    expect(result.stdout).not.toContain("wrote");
    expect(result.stdout.match(/\b0{16}\b/g)).toHaveLength(4);
    expect(result.stdout).toContain("NoNewPrivs:\t1");
    expect(readFileSync("/proc/sys/kernel/domainname", "utf8")).toBe(before);
  });

  inside("reaches no socket of the machine: in a file, abstract, or on loopback", async (on) => {
    const name = `oxbow-${randomBytes(6).toString("hex")}`;
    const file = join(on.dir("sockets"), "s");
    const servers = await Promise.all([
      listening(
        createServer((one) => one.end("hello")),
        file,
      ),
      listening(
        createServer((one) => one.end("hello")),
        `\0${name}`,
      ),
      listening(
        createServer((one) => one.end("hello")),
        0,
      ),
    ]);
    const address = servers[2].address();
    const port = typeof address === "object" ? address?.port : 0;
    const script = `const net = require("net"); for (const to of [{ path: ${JSON.stringify(file)} }, { path: "\\0${name}" }, { port: ${port}, host: "127.0.0.1" }]) {
      const s = net.connect(to); s.on("data", () => console.log("REACHED", JSON.stringify(to))); s.on("error", (e) => console.log(e.code)); }`;
    const node = (network: boolean) =>
      shell(user, on, "", {
        argv: [process.execPath, "-e", script],
        confinement: { writable: [on.work], named: [process.execPath], network },
      });
    try {
      const closed = await node(false);
      expect(closed.stdout.trim().split("\n")).toHaveLength(3);
      expect(closed.stdout).not.toContain("REACHED");
      const open = await node(true);
      expect(open.stdout).toContain(`REACHED {"port":${port}`);
      expect(open.stdout).not.toContain(`REACHED {"path":${JSON.stringify(file)}`);
    } finally {
      for (const server of servers) server.close();
    }
  });

  inside("sees no secret of the home, of the environment, or of other processes", async (on) => {
    mkdirSync(join(on.home, ".ssh"));
    writeFileSync(join(on.home, ".ssh", "id"), "s3cret-of-the-home");
    const script = `cat ${on.home}/.ssh/id /root/.ssh/* /etc/shadow; ls -A ${on.home} /root /home /run; env; cat /proc/*/environ; cat /proc/[0-9]*/cmdline`;
    const result = await shell(user, on, script);
    expect(`${result.stdout}`).not.toMatch(/s3cret|confined-main|root:\$/);
  });

  inside("is given no descriptor that its worker was started with", async (on) => {
    const secret = join(on.home, "secret");
    writeFileSync(secret, "s3cret-of-a-descriptor");
    const script = "cat /proc/self/fd/40; echo end";
    const request = {
      cwd: on.work,
      env: { PATH },
      argv: ["sh", "-c", script],
      confinement: { writable: [on.work] },
    };
    const bare = await confined(user, { ...request, mode: "off" }, secret);
    expect(bare.stdout).toContain("s3cret");
    const result = await confined(user, { ...request, mode: "required" }, secret);
    expect(result.stdout).toBe("end\n");
  });

  inside("cannot signal, trace or look at a process of the machine", async (on) => {
    const identity = process.getuid?.() === 0 ? { uid: user.uid, gid: user.uid } : {};
    const other = spawn("sleep", ["60"], identity);
    try {
      const call = process.arch === "arm64" ? 117 : 101;
      const script = `kill -9 ${other.pid}; kill -9 -1; ls /proc/${other.pid}; head -c 1 /proc/${other.pid}/mem; perl -e 'print syscall(${call}, 16, ${other.pid}, 0, 0) == 0 ? "TRACED" : "no"'`;
      const result = await shell(user, on, `(${script}) 2>&1; ls /proc | grep -c '^[0-9]'`);
      expect(result.stdout).not.toContain("TRACED");
      expect(other.exitCode ?? other.signalCode).toBe(null);
      expect(existsSync(`/proc/${other.pid}`)).toBe(true);
    } finally {
      other.kill("SIGKILL");
    }
  });

  inside("may write an own home where it was opened, but never the git dir in it", async (on) => {
    const checkout = on.dir("home/project");
    const gitDir = on.dir("home/project/.git");
    const objects = on.dir("home/project/.git/objects");
    const work = on.dir("home/project/.git/oxbow/work");
    for (const file of [join(checkout, "README"), join(gitDir, "config"), join(objects, "o")])
      writeFileSync(file, "as it was");
    const result = await shell(
      user,
      on,
      `cd ${on.home}; echo x > note; (echo x > project/README; echo x > project/.git/config; echo x > project/.git/objects/o; mkdir -p project/.git/hooks) 2>/dev/null; ls -A project/.git; cat project/.git/objects/o; echo x > ${work}/made`,
      {
        cwd: work,
        confinement: { writable: [work, on.home], readOnly: [checkout, objects], hidden: [gitDir] },
      },
    );
    expect(result.stdout).toContain("as it was");
    expect(existsSync(join(on.home, "note"))).toBe(true);
    expect(existsSync(join(work, "made"))).toBe(true);
    for (const file of [join(checkout, "README"), join(gitDir, "config"), join(objects, "o")])
      expect(readFileSync(file, "utf8")).toBe("as it was");
    expect(existsSync(join(gitDir, "hooks"))).toBe(false);
  });

  inside("leaves nothing running: at its end, on time-out, and when its worker is killed", async (on) => {
    const token = `7${Date.now()}${user.uid}`;
    const stray = `setsid sh -c 'trap "" TERM HUP; setsid sleep ${token} & sleep ${token}' >/dev/null 2>&1 < /dev/null &`;
    await shell(user, on, `${stray} sleep 0.2; exit 0`);
    expect(processesWith(token)).toEqual([]);
    const late = await shell(user, on, `${stray} sleep ${token}`, { timeoutMs: 700 });
    expect(late.timedOut).toBe(true);
    expect(processesWith(token)).toEqual([]);
    const killed = startConfined(user, {
      mode: "required",
      argv: ["sh", "-c", `${stray} sleep 0.2; echo up; sleep ${token}`],
      cwd: on.work,
      env: { PATH },
      confinement: { writable: [on.work] },
    });
    await expect.poll(killed.said, { timeout: 20_000 }).toContain("up");
    killed.child.kill("SIGKILL");
    await killed.ended;
    await expect.poll(() => processesWith(token), { timeout: 10_000 }).toEqual([]);
  });

  inside("gives exit codes, signals, and why a program did not start, as values", async (on) => {
    expect(await shell(user, on, "exit 7")).toMatchObject({
      exitCode: 7,
      signalName: null,
      startError: null,
    });
    expect(await shell(user, on, "kill -9 $$")).toMatchObject({ exitCode: 137, signalName: "SIGKILL" });
    const missing = await shell(user, on, "", { argv: ["no-such-program"] });
    expect(missing).toMatchObject({ exitCode: null, startError: "ENOENT", sandboxError: null });
    writeFileSync(join(on.work, "tool"), "#!/opt/nowhere/python\n", { mode: 0o755 });
    const unseen = await shell(user, on, "", { argv: ["./tool"] });
    expect(unseen).toMatchObject({ exitCode: null, startError: "ENOENT" });
    expect(unseen.sandboxError).toContain("No such file");
    const nowhere = await shell(user, on, "true", { cwd: on.home });
    expect(nowhere).toMatchObject({ startError: "ESANDBOX", exitCode: null });
  });

  inside(
    "passes loader variables to the program, never to bubblewrap; fills no memory through /tmp",
    async (on) => {
      const result = await shell(
        user,
        on,
        'echo $LD_LIBRARY_PATH; dd if=/dev/zero of=/tmp/big bs=1M count=600 2>&1 | tail -1; ls -l /tmp/big | awk \'{ print ($5 > 540000000) ? "big" : "bounded" }\'',
        { env: { PATH, LD_LIBRARY_PATH: "/nowhere" } },
      );
      expect(result.stdout).toMatch(/^\/nowhere\n/);
      expect(result.stdout).toContain("bounded");
    },
  );
});

describe("a program without a sandbox", () => {
  it.each(users())("of $name is ended with what it started, also what left its group", async (user) => {
    using on = ground(user);
    const token = `8${Date.now()}${user.uid}`;
    const stray = `setsid sh -c 'setsid sleep ${token} & sleep ${token}' >/dev/null 2>&1 < /dev/null &`;
    const request = {
      mode: "off" as const,
      cwd: on.work,
      env: { PATH },
      confinement: { writable: [on.work] },
    };
    const ended = await confined(user, { ...request, argv: ["sh", "-c", `${stray} sleep 0.2; exit 3`] });
    expect(ended).toMatchObject({ exitCode: 3, sandbox: "none" });
    expect(processesWith(token)).toEqual([]);
    const late = await confined(user, {
      ...request,
      argv: ["sh", "-c", `${stray} sleep ${token}`],
      timeoutMs: 700,
    });
    expect(late.timedOut).toBe(true);
    expect(processesWith(token)).toEqual([]);
  });
});

describe("what is shown of the programs on the PATH", () => {
  const some = users()[0] as User;
  const shown = (on: Ground, path: string, named: string[] = [], apart: string[] = []) =>
    programFiles({ path, home: on.home, apart, named }).map(({ to }) => to.replace(`${on.top}/`, ""));

  it("is a folder with its libraries, and where its links lead; no other file of the home", () => {
    using on = ground(some);
    for (const name of [
      "home/.local/bin",
      "home/.local/lib",
      "home/.local/share/app/versions",
      "home/.local/share/keyrings",
      "home/.nvm/v24/bin",
      "home/.nvm/v24/lib/node_modules/npm/bin",
    ])
      on.dir(name);
    writeFileSync(join(on.home, ".local/share/app/versions/1.0"), "");
    symlinkSync(join(on.home, ".local/share/app/versions/1.0"), join(on.home, ".local/bin/app"));
    writeFileSync(join(on.home, ".nvm/v24/lib/node_modules/npm/bin/npm-cli.js"), "");
    symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(on.home, ".nvm/v24/bin/npm"));
    expect(shown(on, `${on.home}/.local/bin:${on.home}/.nvm/v24/bin`).sort()).toEqual([
      "home/.local/bin",
      "home/.local/lib",
      "home/.local/share/app/versions/1.0",
      "home/.nvm/v24/bin",
      "home/.nvm/v24/lib",
    ]);
  });

  it("is the whole of a toolchain or a version manager, node_modules from its top, and never a home or a git dir", () => {
    using on = ground(some);
    for (const name of [
      "home/.venv/bin",
      "home/.pyenv/shims",
      "home/app/node_modules/.bin",
      "repo/.git/oxbow/bin",
      "home/bin",
    ])
      on.dir(name);
    writeFileSync(join(on.home, ".venv/pyvenv.cfg"), "");
    expect(shown(on, `${on.home}/.venv/bin`)).toContain("home/.venv");
    expect(shown(on, `${on.home}/.pyenv/shims`)).toContain("home/.pyenv");
    expect(shown(on, `${on.home}/app/node_modules/.bin`)).toContain("home/app/node_modules");
    expect(shown(on, `${on.home}:${on.home}/bin:/home:/:relative:`)).toEqual(["home/bin"]);
    const gitDir = join(on.top, "repo/.git");
    expect(shown(on, `${gitDir}/oxbow/bin`, [], [gitDir])).toEqual([]);
  });

  it("is what a person named: a script with its folder, a file alone, a folder", () => {
    using on = ground(some);
    for (const name of ["home/tools", "home/data", "home/keys"]) on.dir(name);
    for (const name of ["tools/mod.mjs", "data/in.csv", "keys/id"]) writeFileSync(join(on.home, name), "");
    const named = ["tools/mod.mjs", "data", "keys/id", "missing"].map((name) => join(on.home, name));
    expect(shown(on, "", named).sort()).toEqual(["home/data", "home/keys/id", "home/tools"]);
  });

  it("leaves out of a trusted PATH what is relative or lies in the work tree", () => {
    using on = ground(some);
    on.dir("repo/bin");
    symlinkSync(join(on.top, "repo/bin"), join(on.top, "link"));
    expect(
      trustedPath(`.:/usr/bin:${on.top}/repo/bin::${on.top}/link:node_modules/.bin`, [join(on.top, "repo")]),
    ).toBe("/usr/bin");
  });
});
