/**
 * Are a million command lines split as bash splits them? Run: node bench/command-words.ts [lines] [seed]. Exit 1 on the first
 * difference. Lines are drawn from what matters to a shell; those that Oxbow refuses are counted and left out.
 */
import { spawnSync } from "node:child_process";
import { lex } from "../src/core/command/lex.ts";

const BATCH = 5000;
const CHARACTERS = Array.from(` \t'"\\$\`~#{},.:=!*?[]()<>|&;^%@+-/_aZ09é日`);
const PIECES =
  "{a,b} {1..3} '' \"\" \\' \\\" a= ~/ .. ${ $' { } {a.. ,b} a=b:~ \\ $[ a[0]=~ += ! # '{ }' \"{ ,\" }\"".split(
    " ",
  );

/** A linear congruential generator: the same lines for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * sides);
  };
}

function draw(roll: (sides: number) => number): string {
  const pieces = Array.from({ length: roll(13) }, () =>
    roll(8) < 6 ? CHARACTERS[roll(CHARACTERS.length)] : PIECES[roll(PIECES.length)],
  );
  return pieces.join("");
}

function bashWords(lines: readonly string[]): string[][] {
  const script = lines.map((line) => `printf '%s\\0' x ${line}\nprintf '\\1\\0'`).join("\n");
  const { stdout } = spawnSync("bash", ["-f", "-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: "/home/somebody" },
    maxBuffer: 2 ** 28,
  });
  return stdout
    .split("\u0001\0")
    .slice(0, -1)
    .map((text) => text.split("\0").slice(1, -1));
}

const total = Number(process.argv[2] ?? 1_000_000);
const roll = dice(Number(process.argv[3] ?? 1));
let drawn = 0;
let accepted = 0;
while (drawn < total) {
  const good: { line: string; words: string[] }[] = [];
  for (let i = 0; i < BATCH; i++, drawn++) {
    const line = draw(roll);
    const words = lex(line);
    if (!("code" in words)) good.push({ line, words: words.map((word) => word.text) });
  }
  const answers = bashWords(good.map((each) => each.line));
  const odd = good.findIndex(({ words }, i) => JSON.stringify(words) !== JSON.stringify(answers[i]));
  if (odd !== -1) {
    console.error(JSON.stringify({ ...good[odd], bash: answers[odd] ?? null }));
    process.exit(1);
  }
  accepted += good.length;
}
console.log(JSON.stringify({ lines: drawn, accepted, refused: drawn - accepted, different: 0 }));
