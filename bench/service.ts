/** What the service costs beside a bare server that answers with the same bytes: reads, submissions, and 1,000 who follow. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { openStore } from "../src/store/open.ts";
import {
  type Bench,
  GOAL_COLUMNS,
  goalRow,
  inMs,
  mediansOf,
  PLAIN_ENV,
  type Section,
  takeTurns,
  timed,
  times,
} from "./measure.ts";
import { makeRepository } from "./small-repository.ts";

const LAUNCHER = path.join(import.meta.dirname, "..", "bin", "oxbow.cjs");
const PEER = path.join(import.meta.dirname, "service-peer.ts");
/** Calls under way at once; events of a burst. */
const [AT_ONCE, BURST] = [16, 50];

interface Server {
  readonly process: ChildProcess;
  readonly url: string;
}

/** Says its address in its first line. */
async function start(args: readonly string[], cwd: string): Promise<Server> {
  const child = spawn(process.execPath, args, { cwd, env: PLAIN_ENV, stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { process: child, url: (JSON.parse(line) as { url: string }).url };
}

async function stop({ process: child }: Server): Promise<void> {
  const ended = once(child, "close");
  child.kill("SIGTERM");
  await ended;
}

/** Those who follow a server, and a wait until all have got so many events more. */
async function follow(url: string, count: number) {
  let got = 0;
  let look: () => void = () => undefined;
  const open = async () => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, { perMessageDeflate: false });
    const first = once(socket, "message");
    await once(socket, "open");
    socket.on("message", (data: Buffer) => {
      if (!data.subarray(0, 15).equals(EVENT)) return;
      got += 1;
      look();
    });
    socket.send('{"type":"subscribe"}');
    // It is subscribed.
    await first;
    return socket;
  };
  const sockets: WebSocket[] = [];
  for (let n = 0; n < count; n += 50)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - n) }, open))));
  return {
    /** `work` makes all of them get so many. */
    async during(events: number, work: () => Promise<unknown>): Promise<void> {
      const wanted = got + events * count;
      const all = new Promise<void>((resolve) => (look = () => void (got >= wanted && resolve())));
      await work();
      await all;
    },
    close: () => sockets.forEach((each) => each.terminate()),
  };
}

const EVENT = Buffer.from('{"type":"event"');

async function calls(count: number, call: (n: number) => Promise<Response>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) {
      const answer = await call(next++);
      if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

const submission = (url: string, id: string) =>
  fetch(`${url}/orchestrate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      task_id: id,
      title: "Add a port",
      description: "Change src/main.ts, then docs/guide.md.",
    }),
  });

const burst = (size: number) =>
  Array.from({ length: BURST }, () => ({
    event: "notice" as const,
    task_id: "bench",
    code: "bench",
    message: "x".repeat(size),
  }));

/** Messages with the events that are there, as followers get them. */
async function eventsThere(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/events?follow=0`)).text();
  return [...text.matchAll(/^event: (?!end$).*\ndata: (.*)$/gm)].map(
    ([, json = ""]) => `{"type":"event","event":${json}}`,
  );
}

export async function service(bench: Bench): Promise<Section> {
  const [followers, submits, reads, rounds] = bench.quick ? [100, 8, 200, 2] : [1_000, 48, 2_000, 5];
  const dir = makeRepository(bench.dir, "service");
  bench.say("service: starts both");
  const serve = ["serve", "--no-work", "--port", "0", "--metrics-port", "0", "--json"];
  const oxbow = await start([LAUNCHER, ...serve], dir);
  await using store = await openStore({ url: `sqlite:${path.join(dir, ".git/oxbow/oxbow.db")}` });
  for (let n = 0; n < 50; n++) await (await submission(oxbow.url, `warm-${n}`)).text();
  const submitted = await (await submission(oxbow.url, "warm-0")).text();
  const tasks = await (await fetch(`${oxbow.url}/tasks`)).text();
  const made = await eventsThere(oxbow.url);
  const perTask = made.length / 50;
  if (!Number.isInteger(perTask) || perTask === 0) throw new Error(`${made.length} events of 50 submissions`);
  const written = (await store.append(burst(200))).map(
    (event) => `{"type":"event","event":${JSON.stringify(event)}}`,
  );
  const answers = path.join(bench.dir, "service-answers.json");
  writeFileSync(
    answers,
    JSON.stringify({ tasks, submitted, submission: made.slice(-perTask), burst: written }),
  );
  const bare = await start(["--disable-warning=ExperimentalWarning", PEER, answers], bench.dir);
  const read = (url: string) => () => timed(() => calls(reads, () => fetch(`${url}/tasks`)));
  try {
    const alone = { oxbowReads: read(oxbow.url), bareReads: read(bare.url) };
    await takeTurns(1, alone);
    bench.say("service: reads");
    const quiet = mediansOf(await takeTurns(rounds, alone));
    bench.say(`service: ${followers} follow each`);
    const [ours, theirs] = [await follow(oxbow.url, followers), await follow(bare.url, followers)];
    const submit = (server: Server, all: typeof ours) => (round: number) =>
      timed(() =>
        all.during(perTask * submits, () =>
          calls(submits, (n) => submission(server.url, `round-${round}-${n}`)),
        ),
      );
    const loud = mediansOf(
      await takeTurns(rounds, {
        oxbowBurst: () => timed(() => ours.during(BURST, () => store.append(burst(200)))),
        bareBurst: () =>
          timed(() => theirs.during(BURST, () => fetch(`${bare.url}/burst`, { method: "POST" }))),
        oxbowSubmit: submit(oxbow, ours),
        bareSubmit: submit(bare, theirs),
      }),
    );
    ours.close();
    theirs.close();
    return section({ ...quiet, ...loud }, { followers, submits, reads, perTask });
  } finally {
    await Promise.all([stop(oxbow), stop(bare)]);
  }
}

type Contestant = "oxbowReads" | "bareReads" | "oxbowBurst" | "bareBurst" | "oxbowSubmit" | "bareSubmit";

function section(
  ms: Readonly<Record<Contestant, number>>,
  sizes: { followers: number; submits: number; reads: number; perTask: number },
): Section {
  const { followers, submits, reads, perTask } = sizes;
  const row = (what: string, count: number, ours: number, bare: number) => [
    what,
    inMs(ours),
    inMs(bare),
    `${Math.round((count / ours) * 1000).toLocaleString("en")} / s`,
    times(ours / bare),
  ];
  const fanOut = ms.oxbowBurst / ms.bareBurst;
  return {
    title: `The service, and ${followers.toLocaleString("en")} who follow`,
    about:
      "*Oxbow*: `oxbow serve` with its gate, log, checks and store, as a process of its own. *Bare*: Hono and ws, another process, which answers with the same bytes and sends the same messages, and keeps nothing. The clients are one process more on the same machine.",
    tables: [
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows: [
          goalRow(
            "events to all who follow, against a bare broadcast",
            "≤ 1.5×",
            times(fanOut),
            fanOut <= 1.5,
          ),
        ],
      },
      {
        caption: "Time:",
        columns: ["what", "Oxbow", "bare", "Oxbow", "Oxbow / bare"],
        rows: [
          row(`${reads} × \`GET /tasks\` (50 tasks), ${AT_ONCE} at once`, reads, ms.oxbowReads, ms.bareReads),
          row(
            `${BURST} events, written by another process, to each of ${followers}`,
            BURST * followers,
            ms.oxbowBurst,
            ms.bareBurst,
          ),
          row(
            `${submits} × \`POST /orchestrate\` (planned and durable), each ${perTask} event(s) to each of ${followers}`,
            submits,
            ms.oxbowSubmit,
            ms.bareSubmit,
          ),
        ],
      },
    ],
    notes: ["Nothing is extrapolated. Each time ends when the last of those who follow has the last event."],
  };
}
