/**
 * Loaded before a process of its own will (`node --import`): its wall clock is put forward or back at each SIGUSR2, by the
 * milliseconds in CLOCK_JUMPS, one after the other. Timers and `performance.now()` go on as they did.
 */
const jumps = (process.env["CLOCK_JUMPS"] ?? "").split(",").filter(Boolean).map(Number);
const RealDate = Date;
let offset = 0;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: number[]) =>
    given.length === 0 ? new target(RealDate.now() + offset) : new target(...(given as [number])),
  get: (target, name) => (name === "now" ? () => RealDate.now() + offset : Reflect.get(target, name)),
});
process.on("SIGUSR2", () => {
  offset += jumps.shift() ?? 0;
});
