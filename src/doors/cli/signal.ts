import { openApp, shown } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import type { Json } from "../../core/model.ts";
import { interruption } from "./interruption.ts";

interface Common {
  repo: string;
  json?: boolean;
}

export async function send(topic: string, payload: string, options: Common): Promise<number> {
  const value = parse(payload);
  await using app = openApp({ repo: options.repo });
  const sent = await app.signalSend(topic, value);
  process.stdout.write(options.json ? `${JSON.stringify(sent)}\n` : `${sent.topic} ${sent.message_id}\n`);
  return 0;
}

export async function wait(
  topic: string,
  options: Common & { lastId?: string; timeoutMs: number },
): Promise<number> {
  await using app = openApp({ repo: options.repo });
  using stop = interruption();
  const { lastId, timeoutMs } = options;
  const found = await shown(await app.signalWait(topic, { lastId, timeoutMs }, stop.signal));
  if (options.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  else if (found.ok) process.stdout.write(`${found.message_id} ${JSON.stringify(found.message)}\n`);
  else process.stderr.write(`Nothing came on ${topic} within ${timeoutMs} ms.\n`);
  return found.ok ? 0 : 1;
}

function parse(payload: string): Json {
  try {
    return JSON.parse(payload);
  } catch (error) {
    throw new OxbowError(
      "payload_invalid",
      `The payload is not JSON: ${error instanceof Error ? error.message : "?"}`,
      {
        hint: `Quote it for your shell, for example '{"ok":true}'.`,
        cause: error,
      },
    );
  }
}
