/** Stands between a client and a server, and cuts the connection at a chosen moment of what passes through. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface CutProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * Once, at the next request that contains `text`: `before` lets it not reach the server, `after` lets the server do it
   * and keeps back its answer. Either way both ends see the connection end.
   */
  cut(when: "before" | "after", text: string): void;
  /** How many were cut. */
  readonly cuts: number;
  /** From the next cut on new connections wait, until what it returns is called. */
  hold(): () => void;
}

export async function startCutProxy(to: { readonly host: string; readonly port: number }): Promise<CutProxy> {
  let armed: { when: "before" | "after"; text: string } | null = null;
  let cuts = 0;
  let gate = Promise.resolve();
  let closing: Promise<void> | null = null;
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (client) => {
    sockets.add(client);
    void gate.then(() => join(client));
  });
  const join = (client: Socket) => {
    const upstream = connect(to.port, to.host);
    let swallow = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (data) => {
      if (armed && data.includes(armed.text)) {
        cuts++;
        gate = closing ?? gate;
        swallow = armed.when === "after";
        armed = null;
        if (!swallow) return end();
      }
      upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (swallow) end();
      else client.write(data);
    });
    client.resume();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get cuts() {
      return cuts;
    },
    cut(when, text) {
      armed = { when, text };
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      closing = promise;
      return resolve;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
