/** Bytes on a socket, for requests that no HTTP client would send. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawConnection extends Disposable {
  readonly socket: Socket;
  send(bytes: string | Uint8Array): void;
  /** All that has come when it holds this text; throws when the other side closed before. */
  until(text: string): Promise<string>;
  /** All that came until the other side closed. */
  readonly closed: Promise<string>;
}

export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let came = "";
  const waiting: { text: string; found: (all: string) => void }[] = [];
  socket.setEncoding("utf8").on("data", (part: string) => {
    came += part;
    for (const each of waiting) if (came.includes(each.text)) each.found(came);
  });
  // A reset is an end too.
  socket.on("error", () => undefined);
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(came)));
  return {
    socket,
    closed,
    send: (bytes) => void socket.write(bytes),
    until: (text) =>
      new Promise((found, reject) => {
        if (came.includes(text)) return found(came);
        waiting.push({ text, found });
        void closed.then((all) => reject(new Error(`closed before ${JSON.stringify(text)}: ${all}`)));
      }),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** The JSON of an answer's body. */
export function bodyOf(answer: string): any {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}
