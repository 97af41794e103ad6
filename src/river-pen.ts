/** Strokes of the river, as SVG paths. */

export type Line = (x: number) => number;

/** One decimal is a twentieth of a hair. */
export function f(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Half-way along x it is half-way along y, and level at both ends. */
export function bend(x0: number, y0: number, x1: number, y1: number): string {
  const middle = (x0 + x1) / 2;
  return `C${f(middle)} ${f(y0)} ${f(middle)} ${f(y1)} ${f(x1)} ${f(y1)}`;
}

const WAVE = 56;
const SWING = 3.4;

/** From `x0` to `x1` at `y`, with small waves where there is room for them. */
export function flow(x0: number, x1: number, y: number, waves: boolean): string {
  const length = x1 - x0;
  const parts = Math.round(length / WAVE);
  if (!waves || parts < 2) return `L${f(x1)} ${f(y)}`;
  const step = length / parts;
  let path = "";
  for (let i = 0; i < parts; i++) {
    const x = x0 + step * i;
    const swing = i % 2 === 0 ? -SWING : SWING;
    path += `C${f(x + step * 0.36)} ${f(y + swing)} ${f(x + step * 0.64)} ${f(y + swing)} ${f(x + step)} ${f(y)}`;
  }
  return path;
}
