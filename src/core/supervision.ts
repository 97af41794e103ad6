/**
 * OTP's restart rule (SAFETY "Supervision"): which children are stopped and started when one ends, and when it is enough.
 * Source: the supervisor of Erlang/OTP, its manual and `lib/stdlib/src/supervisor.erl` (add_restart, restart,
 * terminate_children, start_children). No clock and no timers: who calls says what happened and when.
 */
import { OxbowError } from "./errors.ts";
import { quoted } from "./text.ts";

const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"] as const;
const RESTARTS = ["permanent", "transient", "temporary"] as const;

export type Strategy = (typeof STRATEGIES)[number];
/** Restart always, after an `error` only, or never (not even with its siblings). */
export type Restart = (typeof RESTARTS)[number];
export type ExitReason = "error" | "normal" | "shutdown";

export interface SupervisionSpec {
  readonly strategy: Strategy;
  /** More restarts than this within the period are too many; 0 allows none. */
  readonly intensity: number;
  /** Whole seconds, at least 1. */
  readonly periodS: number;
  /** In start order. All of them count as running when the supervision is created. */
  readonly children: readonly { readonly id: string; readonly restart: Restart }[];
}

/** `child` is there for `stop` and `start`. */
export interface SupervisionAction {
  readonly kind: "stop" | "start" | "give_up";
  readonly child?: string;
}

export interface Supervision {
  /**
   * What to do, one after the other, now that `child` ended at `atS` (monotonic seconds; parts of a second are dropped).
   * - A stop that this asked for is no exit: do not report it. A start that fails is one (`error`); then leave out the
   *   actions that came after it.
   * - Whoever is not running, or not known, has ended already: nothing to do, and no failure.
   * - `give_up` comes last, after every child still running was stopped; from then on there is nothing to do any more.
   * Throws `usage` when `atS` is not a finite number.
   */
  exit(child: string, reason: ExitReason, atS: number): SupervisionAction[];
}

interface Child {
  readonly id: string;
  readonly restart: Restart;
  running: boolean;
}

/** Throws `team_config` when the spec is not of its form or two children have one id. */
export function createSupervision(spec: SupervisionSpec): Supervision {
  checkSpec(spec);
  const { strategy, intensity, periodS } = spec;
  const children: readonly Child[] = spec.children.map(({ id, restart }) => ({ id, restart, running: true }));
  let restarts: readonly number[] = [];
  let gaveUp = false;

  /** Counts one failure, however many children it restarts. At most `intensity` + 1 times are ever kept. */
  const isTooMany = (now: number): boolean => {
    restarts = [...restarts.filter((earlier) => earlier >= now - periodS), now];
    return restarts.length > intensity;
  };

  return {
    exit(id, reason, atS) {
      if (!Number.isFinite(atS)) throw badTime(atS);
      const at = children.findIndex((child) => child.id === id && child.running);
      const ended = children[at];
      if (ended === undefined || gaveUp) return [];
      ended.running = false;
      if (!isRestarted(ended.restart, reason)) return [];
      gaveUp = isTooMany(Math.floor(atS));
      if (gaveUp) return [...stop(children), { kind: "give_up" }];
      if (strategy === "one_for_one") return start([ended]);
      const affected = strategy === "one_for_all" ? children : children.slice(at);
      return [...stop(affected), ...start(affected)];
    },
  };
}

/** Any reason but the two orderly ones is a failure. */
function isRestarted(restart: Restart, reason: ExitReason): boolean {
  if (restart === "permanent") return true;
  return restart === "transient" && reason !== "normal" && reason !== "shutdown";
}

/** In reverse start order; who is not running is not stopped again. */
function stop(children: readonly Child[]): SupervisionAction[] {
  const running = children.filter((child) => child.running).toReversed();
  for (const child of running) child.running = false;
  return running.map(({ id }) => ({ kind: "stop", child: id }));
}

/** In start order; a transient child that had ended in order is started with its siblings, a temporary one never again. */
function start(children: readonly Child[]): SupervisionAction[] {
  const wanted = children.filter((child) => child.restart !== "temporary");
  for (const child of wanted) child.running = true;
  return wanted.map(({ id }) => ({ kind: "start", child: id }));
}

function checkSpec(spec: SupervisionSpec): void {
  const refuse = (message: string): never => {
    throw new OxbowError("team_config", message, { hint: "Correct the group in the team file." });
  };
  const { strategy, intensity, periodS, children } = spec;
  if (!STRATEGIES.includes(strategy)) {
    refuse(`The strategy must be ${STRATEGIES.join(" or ")}, not ${quoted(String(strategy))}.`);
  }
  if (!Number.isSafeInteger(intensity) || intensity < 0) {
    refuse(`The intensity must be a whole number from 0 up, not ${String(intensity)}.`);
  }
  if (!Number.isSafeInteger(periodS) || periodS < 1) {
    refuse(`The period must be whole seconds from 1 up, not ${String(periodS)}.`);
  }
  if (!Array.isArray(children)) refuse("The children must be a list.");
  const seen = new Set<string>();
  for (const { id, restart } of children) {
    if (typeof id !== "string" || id === "") refuse("A child must have an id.");
    if (!RESTARTS.includes(restart)) {
      refuse(`The child ${quoted(id)} must be ${RESTARTS.join(" or ")}, not ${quoted(String(restart))}.`);
    }
    if (seen.has(id)) refuse(`There are two children with the id ${quoted(id)}.`);
    seen.add(id);
  }
}

function badTime(atS: number): OxbowError {
  return new OxbowError("usage", `The time of an exit must be a number of seconds, not ${String(atS)}.`, {
    hint: "Give the seconds of a clock that never goes back, such as performance.now() / 1000.",
  });
}
