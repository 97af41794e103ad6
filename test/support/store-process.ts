/** Another process at the same store: `node store-process.ts '{"url":…,"do":…}'`; answers in lines of JSON. */
import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "../../src/store/contract.ts";
import { hasCode } from "../../src/core/errors.ts";
import { openStore } from "../../src/store/open.ts";
import type { StorePlace } from "./store-engines.ts";
import { aTask, anOutcome, notice, someChildren } from "./store-data.ts";

export type StoreCommand =
  | { do: "open" }
  | { do: "submit"; taskId: string; ticket: string; children: number }
  /** Claims and finishes until nothing is left. */
  | { do: "work"; taskId: string; workerId: string }
  /** Claims one and goes on writing events until it is killed. */
  | { do: "claim and write"; taskId: string; workerId: string }
  /** Publishes the time of each publication, `count` times. */
  | { do: "publish"; topic: string; count: number; everyMs: number }
  | { do: "append"; taskId: string; count: number }
  /** Waits in every way there is, does not close the store, and should then end by itself. */
  | { do: "wait and leave" }
  /** Says so once the store is closed, with nothing else that keeps the process alive. */
  | { do: "wait and close" };

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function work(store: Store, taskId: string, workerId: string): Promise<void> {
  for (;;) {
    const lease = await store.claim({ workerId, taskId, leaseMs: 60_000 });
    if (!lease) return;
    const finished = await store.finish(lease, anOutcome(lease.subtask), { ok: true }, [
      notice(taskId, workerId),
    ]);
    say({ conversation: lease.conversation_id, token: lease.token, finished });
    await store.relay();
  }
}

async function run(store: Store, command: StoreCommand): Promise<void> {
  switch (command.do) {
    case "open":
      return say({ tasks: (await store.tasks()).length });
    case "submit": {
      const { taskId, ticket, children } = command;
      return say(await store.submit(aTask(taskId, { ticket }), someChildren(taskId, children), []));
    }
    case "work":
      return work(store, command.taskId, command.workerId);
    case "claim and write": {
      const { taskId, workerId } = command;
      say(await store.claim({ workerId, taskId, leaseMs: 3_600_000 }));
      for (let n = 0; ; n++) {
        await store.append([notice(taskId, `${n}`), notice(taskId, "x".repeat(2000))]);
        if (n % 10 === 0) say({ written: n });
      }
    }
    case "publish":
      for (let n = 0; n < command.count; n++) {
        await store.topics.publish(command.topic, { n, at: performance.timeOrigin + performance.now() });
        await delay(command.everyMs);
      }
      return;
    case "append":
      for (let n = 0; n < command.count; n++)
        await store.append([notice(command.taskId, `${process.pid}:${n}`)]);
      return;
    case "wait and close":
      await store.topics.wait([{ topic: "b", after: null }], 5);
      await store[Symbol.asyncDispose]();
      return say({ closed: true });
    case "wait and leave": {
      const abort = new AbortController();
      const waiting = store.topics.wait([{ topic: "a", after: null }], 60_000, abort.signal);
      const watching = store.watch("t", null, abort.signal)[Symbol.asyncIterator]().next();
      await store.topics.wait([{ topic: "b", after: null }], 5);
      await store.topics.publish("c", 1);
      await store.topics.wait([{ topic: "c", after: null }], 60_000);
      abort.abort();
      await waiting.catch((error: unknown) => say({ code: hasCode(error) ? error.code : "?" }));
      await watching;
      return;
    }
  }
}

const { url, redis, ...command } = JSON.parse(process.argv[2] ?? "{}") as StoreCommand & StorePlace;
try {
  const store = await openStore({ url, redis });
  await run(store, command);
  if (!command.do.startsWith("wait and")) await store[Symbol.asyncDispose]();
} catch (error) {
  say({ error: hasCode(error) ? error.code : "?", message: String(error) });
}
