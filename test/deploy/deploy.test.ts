/** The files of deploy/ say nothing that the program does not know. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseSettings } from "../../src/core/settings.ts";
import { createMetrics } from "../../src/host/metrics.ts";
import { oxbow } from "../support/cli.ts";

const top = resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(top, file), "utf8");
const UNITS = ["oxbow.service", "oxbow-worker@.service"];
const compose = parse(read("deploy/compose.yaml"), { merge: true });
const workflow = parse(read("deploy/github-actions/oxbow.yml"));

/** Command lines as a shell or a list has them, without `oxbow`. */
function commandLines(): string[][] {
  const words = (line: string) => line.match(/"[^"]*"|\S+/g) ?? [];
  const shell = [
    read("docs/deploy.md"),
    ...workflow.jobs.run.steps.map((step: any) => step.run ?? ""),
  ].flatMap((text: string) => [
    ...text.matchAll(/^\s*(?:docker compose run --rm )?oxbow ([a-z][^|>#\n]*)/gm),
  ]);
  const services = Object.values<any>(compose.services).filter(({ image }) => image === "oxbow");
  const units = UNITS.map((unit) => /^ExecStart=\S+\/oxbow (.*)$/m.exec(read(`deploy/${unit}`))?.[1] ?? "");
  const image = /^CMD (.*)$/m.exec(read("deploy/Dockerfile"))?.[1] ?? "";
  return [
    ...shell.map((match) => words(match[1] ?? "")),
    ...services.map(({ command }) => command.map(String)),
    ...units.map(words),
    JSON.parse(image),
  ];
}

describe("deploy/", () => {
  it("uses only commands and options that there are", async () => {
    const lines = commandLines();
    expect(new Set(lines.map(([name]) => name))).toEqual(
      new Set(["serve", "worker", "token", "run", "report", "doctor"]),
    );
    const helps = new Map<string, string>();
    for (const line of lines) {
      const name = line.slice(0, line[0] === "token" ? 2 : 1);
      const key = name.join(" ");
      const help = helps.get(key) ?? (await oxbow([...name, "--help"], { cwd: top })).stdout;
      helps.set(key, help);
      for (const option of line.filter((word) => word.startsWith("--")))
        expect(help, `oxbow ${line.join(" ")}`).toContain(`${option.split("=")[0]} `);
    }
  });

  it("has a compose file of settings that are valid, with ports on loopback and a Redis that keeps what it is given", () => {
    const { oxbow: service, worker, postgres, redis } = compose.services;
    for (const { environment } of [service, worker]) {
      const settings = parseSettings({ ...environment, PGPASSWORD: "x" });
      expect(settings).toMatchObject({ oxbowStoreUrl: expect.stringMatching(/^postgres:/) });
    }
    expect(worker.deploy.replicas).toBe(2);
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:(800[01]):\1$/);
    expect(service.command).toContain("--no-work");
    expect(redis.command.join(" ")).toMatch(/--appendonly yes .*noeviction/);
    for (const name of Object.keys(service.depends_on))
      expect(compose.services[name].healthcheck.test[0]).toBe("CMD");
    for (const [volume] of [...postgres.volumes, ...redis.volumes].map((each: string) => each.split(":")))
      expect(compose.volumes).toHaveProperty(volume ?? "");
  });

  it("has a Dockerfile that copies what is there", () => {
    const copied = [...read("deploy/Dockerfile").matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(
      (match) => match[1]?.split(" ") ?? [],
    );
    expect(copied.length).toBeGreaterThan(0);
    for (const path of copied) expect(existsSync(join(top, path)), path).toBe(true);
    expect(read("deploy/Dockerfile.dockerignore").split("\n")).toContain("node_modules");
  });

  it.skipIf(spawnSync("systemd-analyze", ["--version"]).error !== undefined).each(UNITS)(
    "has a unit %s that systemd takes",
    (unit) => {
      const folder = mkdtempSync(join(tmpdir(), "oxbow-unit-"));
      try {
        // What only the machine it is for has.
        const text = read(`deploy/${unit}`).replace("/usr/local/bin/oxbow", "/bin/true");
        writeFileSync(join(folder, unit), text.replaceAll("/srv/oxbow/repository", folder));
        execFileSync("systemd-analyze", ["verify", join(folder, unit)], { stdio: "pipe" });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it("has a dashboard of metrics that the service has", async () => {
    const sources = {
      activeTasks: () => Promise.resolve(0),
      agents: () => Promise.resolve([{ agent: "Api", up: true }]),
      failed: (error: unknown) => expect.unreachable(String(error)),
    };
    const there = new Set(
      [...(await (await createMetrics(sources)).text()).matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]),
    );
    const asked = JSON.parse(read("deploy/grafana/oxbow.json")).panels.flatMap(({ targets }: any) =>
      targets.flatMap(({ expr }: any) => expr.match(/\b(?:orchestrator|oxbow|agent|process|nodejs)_\w+/g)),
    );
    expect(asked.length).toBeGreaterThan(15);
    for (const name of new Set<string>(asked)) expect(there).toContain(name.replace(/_bucket$/, ""));
  });

  it("has a workflow with an answer to each exit code of a run", () => {
    const answers: string = workflow.jobs.run.steps.at(-1).run;
    const codes = [...answers.matchAll(/^\s*(\d+)\)/gm)].map((match) => match[1]);
    expect(codes).toEqual(["0", "1", "2", "3", "5", "130"]);
    const told = [...read("docs/deploy.md").matchAll(/^\| (\d+) \|/gm)].map((match) => match[1]);
    expect(told).toEqual(codes);
    const scripts = workflow.jobs.run.steps.map((step: any) => step.run ?? "").join("\n");
    expect(scripts, "a title is never put into a script").not.toContain("${{ github.event");
  });
});
