import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import {
  createSupervision,
  type ExitReason,
  type Restart,
  type Strategy,
  type SupervisionAction,
  type SupervisionSpec,
} from "../../src/core/supervision.ts";

const STRATEGIES: readonly Strategy[] = ["one_for_one", "one_for_all", "rest_for_one"];
const RESTARTS: readonly Restart[] = ["permanent", "transient", "temporary"];
const REASONS: readonly ExitReason[] = ["error", "normal", "shutdown"];

/** `a` permanent, `a?` transient, `a!` temporary. */
function spec(strategy: Strategy, children: string, intensity = 3, periodS = 10): SupervisionSpec {
  const restart = (mark: string | undefined): Restart =>
    mark === "?" ? "transient" : mark === "!" ? "temporary" : "permanent";
  return {
    strategy,
    intensity,
    periodS,
    children: children.split(" ").map((word) => ({ id: word[0] ?? "", restart: restart(word[1]) })),
  };
}

/** `-b +a !` */
function short(actions: readonly SupervisionAction[]): string {
  const mark = { stop: "-", start: "+", give_up: "!" };
  return actions.map(({ kind, child }) => `${mark[kind]}${child ?? ""}`).join(" ");
}

function refusal(make: () => unknown): OxbowError {
  try {
    make();
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("who is restarted", () => {
  it.each<[string, Strategy, string, [string, ExitReason], string]>([
    ["only the one that failed", "one_for_one", "a b c", ["b", "error"], "+b"],
    ["all, stopped backwards and started forwards", "one_for_all", "a b c", ["b", "error"], "-c -a +a +b +c"],
    ["those started after it", "rest_for_one", "a b c d", ["b", "error"], "-d -c +b +c +d"],
    ["a permanent one also after an orderly end", "one_for_one", "a b", ["a", "normal"], "+a"],
    ["… and after a shutdown", "one_for_one", "a b", ["a", "shutdown"], "+a"],
    ["a transient one after a failure", "one_for_one", "a? b", ["a", "error"], "+a"],
    ["a transient one not after an orderly end", "one_for_all", "a? b", ["a", "normal"], ""],
    ["… nor after a shutdown", "one_for_all", "a? b", ["a", "shutdown"], ""],
    ["a temporary one never", "one_for_all", "a! b", ["a", "error"], ""],
    [
      "a temporary one is stopped with the others, and stays away",
      "one_for_all",
      "a b!",
      ["a", "error"],
      "-b +a",
    ],
    ["… also in the rest", "rest_for_one", "a b! c", ["a", "error"], "-c -b +a +c"],
    ["the last of the rest alone", "rest_for_one", "a b", ["b", "error"], "+b"],
    ["nobody for a stranger", "one_for_all", "a b", ["z", "error"], ""],
  ])("%s", (_what, strategy, children, [child, reason], wanted) => {
    expect(short(createSupervision(spec(strategy, children)).exit(child, reason, 0))).toBe(wanted);
  });

  it("a transient child that had ended in order comes back with its siblings", () => {
    const supervision = createSupervision(spec("one_for_all", "a b?"));
    expect(short(supervision.exit("b", "normal", 1))).toBe("");
    expect(short(supervision.exit("a", "error", 2))).toBe("+a +b");
  });

  it("who has ended is not stopped again, and does not end again", () => {
    const supervision = createSupervision(spec("rest_for_one", "a b! c? d"));
    supervision.exit("b", "error", 1);
    supervision.exit("c", "normal", 1);
    expect(supervision.exit("c", "error", 2)).toEqual([]);
    expect(short(supervision.exit("a", "error", 2))).toBe("-d +a +c +d");
    expect(supervision.exit("b", "error", 3)).toEqual([]);
  });

  it("is not changed by what happens to the spec afterwards", () => {
    const children = [{ id: "a", restart: "permanent" as Restart }];
    const supervision = createSupervision({ strategy: "one_for_one", intensity: 1, periodS: 5, children });
    children.pop();
    expect(short(supervision.exit("a", "error", 0))).toBe("+a");
  });

  it("supervisions do not share anything", () => {
    const one = spec("one_for_one", "a", 1);
    createSupervision(one).exit("a", "error", 0);
    expect(short(createSupervision(one).exit("a", "error", 0))).toBe("+a");
  });
});

describe("when it is enough", () => {
  const times = (intensity: number, periodS: number, ...at: number[]): string[] => {
    const supervision = createSupervision(spec("one_for_one", "a", intensity, periodS));
    return at.map((atS) => short(supervision.exit("a", "error", atS)));
  };

  it.each<[string, string[], string[]]>([
    ["none is allowed", times(0, 5, 0), ["!"]],
    ["one more than allowed", times(2, 10, 0, 1, 2), ["+a", "+a", "!"]],
    ["the first second of the period still counts", times(1, 5, 100, 105), ["+a", "!"]],
    ["the second before it does not", times(1, 5, 100, 106), ["+a", "+a"]],
    ["parts of a second are dropped", times(1, 5, 100.9, 105.999), ["+a", "!"]],
    ["… on both sides", times(1, 5, 100.9, 106), ["+a", "+a"]],
    ["the window moves", times(2, 10, 0, 6, 12, 18, 20), ["+a", "+a", "+a", "+a", "!"]],
    ["several in one second", times(1, 1, 7, 7), ["+a", "!"]],
    ["times before zero", times(1, 5, -10.5, -6), ["+a", "!"]],
    ["a clock that went back does not forgive", times(1, 5, 100, 50), ["+a", "!"]],
  ])("%s", (_what, found, wanted) => expect(found).toEqual(wanted));

  it("one failure that restarts five counts once", () => {
    const supervision = createSupervision(spec("one_for_all", "a b c d e", 2));
    supervision.exit("a", "error", 0);
    expect(short(supervision.exit("b", "error", 1))).toBe("-e -d -c -a +a +b +c +d +e");
    expect(short(supervision.exit("c", "error", 2))).toBe("-e -d -b -a !");
  });

  it("ends that restart nobody do not count", () => {
    const supervision = createSupervision(spec("one_for_one", "a? b! c", 0));
    expect(supervision.exit("a", "normal", 0)).toEqual([]);
    expect(supervision.exit("b", "error", 0)).toEqual([]);
    expect(supervision.exit("c", "error", 0)).toEqual([{ kind: "give_up" }]);
  });

  it("everybody who runs is stopped first, backwards, and then nothing is done any more", () => {
    const supervision = createSupervision(spec("one_for_one", "a b c? d", 0));
    supervision.exit("c", "shutdown", 1);
    expect(supervision.exit("b", "error", 2)).toEqual([
      { kind: "stop", child: "d" },
      { kind: "stop", child: "a" },
      { kind: "give_up" },
    ]);
    for (const child of "abcd") expect(supervision.exit(child, "error", 1000)).toEqual([]);
  });
});

describe("a bad supervision", () => {
  const good = spec("one_for_one", "a b");
  it.each<[string, object]>([
    ["a strategy nobody knows", { strategy: "simple_one_for_one" }],
    ["an intensity below zero", { intensity: -1 }],
    ["half a restart", { intensity: 1.5 }],
    ["an endless intensity", { intensity: Number.POSITIVE_INFINITY }],
    ["no number", { intensity: Number.NaN }],
    ["no period", { periodS: 0 }],
    ["half a second", { periodS: 0.5 }],
    ["no children", { children: undefined }],
    ["two of one id", { children: [...good.children, { id: "a", restart: "temporary" }] }],
    ["no id", { children: [{ id: "", restart: "temporary" }] }],
    ["a restart nobody knows", { children: [{ id: "a", restart: "always" }] }],
  ])("%s is refused", (_what, change) => {
    expect(refusal(() => createSupervision({ ...good, ...change })).code).toBe("team_config");
  });

  it("a time that is none is refused, and nothing was counted", () => {
    const supervision = createSupervision(spec("one_for_one", "a", 0));
    expect(refusal(() => supervision.exit("a", "error", Number.NaN)).code).toBe("usage");
    expect(short(supervision.exit("a", "error", 0))).toBe("!");
  });
});

/**
 * The manual's sentences, one after the other, over lists of names and a log of all restarts there ever were; it shares no
 * code and no representation with the rule.
 */
function manual({ strategy, intensity, periodS, children }: SupervisionSpec) {
  let specs = children.map(({ id }) => id);
  const kind = new Map(children.map(({ id, restart }) => [id, restart]));
  const alive = new Set(specs);
  const log: bigint[] = [];
  let isOver = false;

  const terminate = (names: readonly string[], out: string[]): void => {
    for (let i = names.length - 1; i >= 0; i--) {
      const name = names[i] ?? "";
      if (alive.delete(name)) out.push(`-${name}`);
      // "never restarted (even when … a sibling's death causes the temporary process to be terminated)"
      if (kind.get(name) === "temporary") specs = specs.filter((other) => other !== name);
    }
  };

  return (name: string, reason: ExitReason, atS: number): string => {
    if (isOver || !alive.has(name)) return "";
    alive.delete(name);
    const type = kind.get(name);
    if (type === "temporary") {
      specs = specs.filter((other) => other !== name);
      return "";
    }
    if (type === "transient" && ["normal", "shutdown"].includes(reason)) return "";
    const now = BigInt(Math.floor(atS));
    log.push(now);
    const recent = log.filter((then) => now - then <= BigInt(periodS)).length;
    const out: string[] = [];
    if (recent > intensity) {
      terminate(specs, out);
      isOver = true;
      return [...out, "!"].join(" ");
    }
    const concerned = {
      one_for_one: () => [name],
      one_for_all: () => specs,
      rest_for_one: () => specs.slice(specs.indexOf(name)),
    }[strategy]();
    terminate(concerned, out);
    for (const other of specs.filter((each) => concerned.includes(each))) {
      alive.add(other);
      out.push(`+${other}`);
    }
    return out.join(" ");
  };
}

const anySpec = fc
  .record({
    strategy: fc.constantFrom(...STRATEGIES),
    intensity: fc.nat({ max: 5 }),
    periodS: fc.integer({ min: 1, max: 12 }),
    restarts: fc.array(fc.constantFrom(...RESTARTS), { maxLength: 7 }),
  })
  .map(({ restarts, ...rest }) => ({
    ...rest,
    children: restarts.map((restart, i) => ({ id: `c${i}`, restart })),
  }));

/** Children by number, one of them unknown; the time goes on by fractions, often not at all. */
const anyExits = fc.array(
  fc.record({
    child: fc.nat({ max: 7 }).map((n) => `c${n}`),
    reason: fc.oneof({ weight: 3, arbitrary: fc.constant("error" as const) }, fc.constantFrom(...REASONS)),
    passed: fc.oneof(fc.constant(0), fc.nat({ max: 7 }), fc.double({ min: 0, max: 9, noNaN: true })),
  }),
  { maxLength: 40 },
);

describe("the rule", () => {
  it("does what the manual of OTP says, whatever happens", () => {
    fc.assert(
      fc.property(anySpec, anyExits, fc.integer({ min: -50, max: 50 }), (wanted, exits, begin) => {
        const rule = createSupervision(wanted);
        const model = manual(wanted);
        let now = begin;
        for (const { child, reason, passed } of exits) {
          now += passed;
          expect(short(rule.exit(child, reason, now))).toBe(model(child, reason, now));
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("stops only who runs, starts only who does not, and leaves nobody behind when it gives up", () => {
    fc.assert(
      fc.property(anySpec, anyExits, (wanted, exits) => {
        const supervision = createSupervision(wanted);
        const running = new Set(wanted.children.map(({ id }) => id));
        let now = 0;
        for (const { child, reason, passed } of exits) {
          now += passed;
          const didRun = running.delete(child);
          const actions = supervision.exit(child, reason, now);
          if (!didRun) expect(actions).toEqual([]);
          for (const { kind, child: id = "" } of actions) {
            if (kind === "stop") expect(running.delete(id)).toBe(true);
            if (kind === "start") expect(running.has(id)).toBe(false);
            if (kind === "start") running.add(id);
            if (kind === "give_up") expect([...running]).toEqual([]);
          }
        }
      }),
    );
  });
});
