import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";

const team = (groups: string, agent = "name: A") => `team: T\ngroups:\n${groups}agents:\n  - { ${agent} }\n`;

function read(text: string): OxbowError | null {
  try {
    parseTeamFile(text, "team.yaml");
    return null;
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
}

describe("the groups of a team file", () => {
  it.each<[string, string]>([
    ["nothing but a name", "  - { name: g }\n"],
    ["a strategy", "  - { name: g, strategy: one_for_all }\n"],
    ["a critical one", "  - { name: g, critical: true }\n"],
    [
      "one that says it is not critical",
      "  - { name: g, critical: false, strategy: one_for_one, restart: transient }\n",
    ],
    [
      "the contract's example",
      "  - { name: g, strategy: one_for_one, restart: permanent, max_restarts: 5, window_s: 300 }\n",
    ],
    ["a window that just fits", "  - { name: g, max_restarts: 5, window_s: 63 }\n"],
    ["no restarts and a window of one second", "  - { name: g, max_restarts: 0, window_s: 1 }\n"],
    ["waits of a minute", "  - { name: g, max_restarts: 6, window_s: 123 }\n"],
  ])("may hold %s", (_what, groups) => {
    expect(read(team(groups, "name: A, group: g"))).toBeNull();
  });

  it.each<[string, string, [number, number], string]>([
    [
      "six waits in a minute",
      "  - { name: g, max_restarts: 5, window_s: 60 }\n",
      [3, 43],
      "groups[0].window_s: the waits before 6 restarts take 63 s",
    ],
    [
      "one second too few",
      "  - { name: g, max_restarts: 6, window_s: 122 }\n",
      [3, 43],
      "raise window_s to 123",
    ],
    [
      "five restarts, since there is a strategy",
      "  - { name: g, strategy: rest_for_one, window_s: 60 }\n",
      [3, 50],
      "a window of 60 s",
    ],
    [
      "three restarts, since nothing is said",
      "  - name: g\n    window_s: 14\n",
      [4, 15],
      "the waits before 4 restarts take 15 s",
    ],
    [
      "the usual window",
      "  - name: g\n    max_restarts: 9\n",
      [4, 19],
      "groups[0].max_restarts: the waits before 10 restarts take 303 s",
    ],
    ["… of the second group", "  - name: f\n  - name: g\n    window_s: 1\n", [5, 15], "groups[1].window_s"],
    [
      "a critical one with a strategy",
      "  - { name: g, critical: true, strategy: one_for_one }\n",
      [3, 42],
      "groups[0].strategy: a critical group stops the tree",
    ],
    [
      "a critical one that restarts",
      "  - { restart: permanent, critical: true, name: g }\n",
      [3, 16],
      "it has no restart",
    ],
    [
      "a critical one with a number of restarts",
      "  - { name: g, critical: true, max_restarts: 5 }\n",
      [3, 46],
      "it has no max_restarts",
    ],
    [
      "a critical one with a window",
      "  - { name: g, critical: true, window_s: 300 }\n",
      [3, 42],
      "it has no window_s",
    ],
    [
      "one name twice",
      "  - name: g\n  - name: h\n  - name: g\n",
      [5, 11],
      "groups[2].name: there is a group g already",
    ],
  ])("may not hold %s", (_what, groups, [line, column], message) => {
    const error = read(team(groups));
    expect(error?.message).toContain(message);
    expect(error?.code).toBe("team_file_invalid");
    expect(error?.details).toMatchObject({ file: "team.yaml", line, column });
  });

  it("must have the group an agent names", () => {
    const error = read(team("  - name: builders\n", "name: A, group: builder"));
    expect(error?.message).toBe(
      "team.yaml:5:23: agents[0].group: there is no group builder. Did you mean builders?",
    );
    expect(error?.details).toMatchObject({ line: 5, column: 23 });
  });

  it("take exactly the windows in which the waits fit", () => {
    fc.assert(
      fc.property(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 2000 }), (restarts, windowS) => {
        let waits = 0;
        for (let i = 0, wait = 1; i <= restarts; i++, wait *= 2) waits += Math.min(wait, 60);
        const error = read(team(`  - { name: g, max_restarts: ${restarts}, window_s: ${windowS} }\n`));
        expect(error === null).toBe(waits <= windowS);
      }),
    );
  });

  it("are obeyed, so no notice says otherwise", () => {
    const { notices } = parseTeamFile(team("  - name: g\n"), "team.yaml");
    expect(notices).toEqual([]);
  });
});
