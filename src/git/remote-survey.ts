/** What a fleet's remote keeps of Oxbow's, for those who tidy up there or look whether it can be used. */
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { Remote } from "./remote.ts";
import type { RemoteRef, RemoteSurvey } from "./shared-remote.ts";
import { OxbowError } from "../core/errors.ts";
import { workIn } from "./attempts.ts";
import { gitTextOrThrow, runGitOrThrow } from "./command.ts";

/** A person waits for the answer. */
const PATIENCE = { forMs: 2_000 };
const TEAM_REFS = "refs/remotes/oxbow-team/";

export function createSurvey(engine: Engine, remote: Remote): RemoteSurvey {
  const { setup } = engine;
  const reachedBy = async (
    commits: readonly Oid[],
    keepers: readonly Oid[],
    also: readonly string[] = [],
  ): Promise<Set<Oid>> => {
    const wanted = [...new Set(commits)];
    if (wanted.length === 0) return new Set();
    const args = ["rev-list", "--stdin", "--not", ...also];
    const input = [...wanted, ...keepers.map((oid) => `^${oid}`), ""].join("\n");
    const out = await runGitOrThrow(setup.refSite, args, { input });
    const unreached = new Set(out.toString("utf8").split("\n"));
    return new Set(wanted.filter((oid) => !unreached.has(oid)));
  };

  return {
    async refs(base) {
      const heads = ["refs/heads/feature/", "refs/heads/integration/"];
      const found = await remote.fetch(
        [...heads, "refs/oxbow/", ...(base === null ? [] : [`refs/heads/${base}`])],
        PATIENCE,
      );
      const keeps = (ref: string) =>
        ref === `refs/heads/${base ?? ""}` || ref.startsWith("refs/heads/integration/");
      const keepers = [...found].flatMap(([ref, oid]) => (keeps(ref) ? [oid] : []));
      const works = new Map<Oid, Oid | null>();
      for (const oid of new Set(found.values())) works.set(oid, await workIn(engine, oid));
      const commits = [...works.values()].flatMap((oid) => (oid === null ? [] : [oid]));
      const merged = await reachedBy(commits, keepers);
      const here = await reachedBy(commits, keepers, [
        "--exclude=refs/heads/feature/*",
        "--branches",
        "--tags",
      ]);
      return [...found].map(([ref, oid]): RemoteRef => {
        const work = works.get(oid) ?? null;
        const safe = (reached: ReadonlySet<Oid>) => work === null || reached.has(work);
        return { ref, oid, work, merged: safe(merged), here: safe(here) };
      });
    },

    async remove(refs) {
      const result = await remote.push(
        refs.map(({ ref, oid }) => ({ ref, old: oid, new: null })),
        PATIENCE,
      );
      if (result.kind === "pushed") return;
      throw new OxbowError(
        "branch_moved",
        `Somebody moved ${result.refs.join(", ") || "it"} on the team's remote.`,
      );
    },

    async follow(base) {
      const heads = ["refs/heads/integration/", ...(base === null ? [] : [`refs/heads/${base}`])];
      const found = await remote.fetch(heads, PATIENCE);
      for (const [ref, oid] of found) {
        const own = TEAM_REFS + ref.slice("refs/heads/".length);
        const old = await engine.readRef(own);
        if (old !== oid) await engine.refs.apply([{ ref: own, old, new: oid }]);
      }
    },

    async onlyHere() {
      const found = await remote.fetch(["refs/heads/", "refs/oxbow/"], PATIENCE);
      const format = "--format=%(objectname) %(refname)";
      const text = await gitTextOrThrow(setup.refSite, [
        "for-each-ref",
        format,
        "refs/heads/",
        "refs/oxbow/",
      ]);
      const lines = text.split("\n").filter((line) => line !== "");
      const own = new Map(
        lines.map((line) => [line.slice(line.indexOf(" ") + 1), line.split(" ", 1)[0] ?? ""]),
      );
      const works = new Map<string, Oid>();
      for (const [ref, oid] of own) {
        const work = await workIn(engine, oid);
        if (work !== null) works.set(ref, work);
      }
      const there = await reachedBy([...works.values()], [...found.values()]);
      return [...works].flatMap(([ref, commit]) => (there.has(commit) ? [] : [{ ref, commit }]));
    },

    async probe() {
      const [head] = await remote.fetch(["refs/heads/"], PATIENCE);
      await remote.rehearse({ ref: "refs/oxbow/probe", old: null, new: head?.[1] ?? null }, PATIENCE);
    },
  };
}
