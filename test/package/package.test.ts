/** `npm pack`, then an empty project: what a stranger installs must work without this checkout. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { EXAMPLES, exampleShop } from "../support/examples.ts";
import { copyCheckout, install, pack, TOP } from "../support/package.ts";
import { say } from "../support/programs.ts";

const MINUTES_5 = 300_000;
const SLOW = { timeout: MINUTES_5 };
const OLDEST_NODE = "22.18.0";
const home = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-package-")));
const project = join(home, "project");
const checkout = join(home, "checkout");
let tarball = "";
let before: readonly string[] = [];
let offline: string | null = null;

beforeAll(async () => {
  before = readdirSync(await copyCheckout(checkout));
  tarball = await pack(checkout, join(home, "packed"));
  offline = await install(project, tarball);
}, MINUTES_5);
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));

/** Without a registry nothing can be installed: skipped with the reason, and failed where CI is set. */
function needs(reason: string | null, test: TestContext): void {
  if (reason === null) return;
  if (process.env["CI"]) throw new Error(`With CI set no suite may be left out, but ${reason}.`);
  process.stderr.write(`SKIPPED: ${reason}\n`);
  test.skip(`SKIPPED: ${reason}`);
}

describe("npm pack", () => {
  it("leaves the checkout as it was, but for dist/", () => {
    expect(readFileSync(join(checkout, "package.json"), "utf8")).toBe(
      readFileSync(join(TOP, "package.json"), "utf8"),
    );
    expect(readdirSync(checkout).sort()).toEqual([...before, "dist"].sort());
  });

  it("holds dist/ with types, the launcher and nothing of development", async () => {
    const names = (await say("tar", ["-tzf", tarball], { cwd: home })).trim().split("\n");
    expect(names).toEqual(
      expect.arrayContaining([
        "package/bin/oxbow.cjs",
        "package/dist/src/index.js",
        "package/dist/src/index.d.ts",
        "package/dist/src/doors/main.js",
        "package/dist/tools/orchestrate_split.js",
        "package/LICENSE",
        "package/README.md",
      ]),
    );
    expect(
      names.filter(
        (name) =>
          !/^package\/(?:bin|dist)\/|\/(?:package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(name),
      ),
    ).toEqual([]);
    expect(names.filter((name) => /(?<!\.d)\.ts$/.test(name))).toEqual([]);
  });

  it("has a manifest without a pinned Node, scripts or development packages", async () => {
    const manifest = JSON.parse(await say("tar", ["-xzOf", tarball, "package/package.json"], { cwd: home }));
    for (const key of ["optionalDependencies", "devDependencies", "scripts", "private"])
      expect(manifest).not.toHaveProperty(key);
    expect(manifest).toMatchObject({
      name: "oxbow",
      engines: { node: "^22.18.0 || >=23.6.0" },
      bin: { oxbow: "bin/oxbow.cjs" },
      exports: { ".": { types: "./dist/src/index.d.ts", default: "./dist/src/index.js" } },
    });
  });
});

describe("an empty project that installs it", () => {
  it("gets no Node, and types that a strict compiler accepts as they are", SLOW, async (test) => {
    needs(offline, test);
    expect(
      readdirSync(join(project, "node_modules")).filter((name) => /^node-(?:linux|win)/.test(name)),
    ).toEqual([]);
    for (const name of readdirSync(EXAMPLES)) cpSync(join(EXAMPLES, name), join(project, name));
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "es2023",
          module: "nodenext",
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noPropertyAccessFromIndexSignature: true,
          skipLibCheck: false,
          noEmit: true,
          types: ["node"],
          typeRoots: [join(TOP, "node_modules/@types")],
        },
        include: ["*.ts"],
      }),
    );
    await say(join(TOP, "node_modules/.bin/tsc"), ["-p", project], { cwd: project });
  });

  it("runs the command line and the library on this Node", SLOW, async (test) => {
    needs(offline, test);
    await tryOut(process.execPath);
  });

  it(`runs them on Node ${OLDEST_NODE}`, SLOW, async (test) => {
    needs(offline, test);
    const node = `node-${process.platform}-${process.arch}`;
    const older = join(home, "older");
    if (process.platform !== "linux")
      needs(`there is no package with Node ${OLDEST_NODE} for this system`, test);
    needs(await install(older, `${node}@${OLDEST_NODE}`), test);
    const binary = join(older, "node_modules", node, "bin/node");
    expect(await say(binary, ["--version"], { cwd: older })).toBe(`v${OLDEST_NODE}\n`);
    await tryOut(binary);
  });
});

/** The command line and the examples, from the project, in a repository of their own. */
async function tryOut(node: string): Promise<void> {
  const oxbow = join(project, "node_modules/oxbow/bin/oxbow.cjs");
  const { version } = JSON.parse(readFileSync(join(TOP, "package.json"), "utf8"));
  expect(await say(node, [oxbow, "--version"], { cwd: project })).toBe(`${version}\n`);
  using shop = exampleShop();
  const before = shop.fingerprint();
  expect(await say(node, [oxbow, "owner", "src/app/main.ts"], { cwd: shop.dir })).toContain("AgentX");
  const ran = await say(node, [oxbow, "run", "See every file", "--by", "owner", "--ticket", "1", "--json"], {
    cwd: shop.dir,
  });
  expect(JSON.parse(ran.trim().split("\n").at(-1) ?? "")).toMatchObject({
    event: "report",
    state: "completed",
  });
  expect(shop.at("integration/1", "src/app/main.ts")).toContain("// seen");

  // As TypeScript, next to the package: this Node strips the types of the project's own files.
  for (const name of ["wait.ts", "branch.ts", "registry.ts"])
    cpSync(join(EXAMPLES, name), join(project, name));
  const waited = await say(node, [join(project, "wait.ts")], { cwd: shop.dir });
  expect(waited.match(/outcome: 'completed'/g)).toHaveLength(2);
  expect(await say(node, [join(project, "branch.ts")], { cwd: shop.dir })).toBe("feature/146/DevAgent\n");
  expect(await say(node, [join(project, "registry.ts")], { cwd: shop.dir })).toContain("agent: 'AgentX'");
  expect(shop.fingerprint()).toBe(before);
  await say(node, [oxbow, "uninstall", "--yes"], { cwd: shop.dir });
  expect(shop.git("for-each-ref", "refs/oxbow")).toBe("");
}
