/** A receiver of webhooks on loopback, over http or https, that answers as it is told and keeps what it got. */
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";

export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: Record<string, any>;
}

export type Answer = (response: ServerResponse) => void;

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** Given in order, one each; then 204. */
  readonly answers: Answer[];
  /** Resolves when that many have come in all. */
  count(wanted: number): Promise<void>;
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end();

export async function startReceiver(options: { readonly secure?: boolean } = {}): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Answer[] = [];
  const waiting: { wanted: number; found: () => void }[] = [];
  const listener: RequestListener = (request, response) => {
    void take(request).then((got) => {
      received.push(got);
      for (const each of waiting) if (received.length >= each.wanted) each.found();
      (answers.shift() ?? status(204))(response);
    });
  };
  const server = options.secure
    ? createSecureServer({ key: testKey(), cert: testCertificate() }, listener)
    : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    url: options.secure ? `https://hooks.example.com:${port}/in` : `http://127.0.0.1:${port}/in`,
    received,
    answers,
    count(wanted) {
      if (received.length >= wanted) return Promise.resolve();
      return new Promise((found) => void waiting.push({ wanted, found }));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function take(request: IncomingMessage): Promise<Received> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  const body: Record<string, any> = JSON.parse(text);
  return { path: request.url ?? "", headers, text, body };
}

/** The signatures of a request, verified as the specification says, by other code than the sender's. */
export async function isSigned({ headers, text }: Received, secret: string): Promise<boolean> {
  const bytes = Uint8Array.from(atob(secret.replace("whsec_", "")), (letter) => letter.charCodeAt(0));
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await webcrypto.subtle.importKey("raw", bytes, hmac, false, ["verify"]);
  const signed = new TextEncoder().encode(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`);
  for (const each of (headers["webhook-signature"] ?? "").split(" ")) {
    const [version, signature = ""] = each.split(",");
    const given = Uint8Array.from(atob(signature), (letter) => letter.charCodeAt(0));
    if (version === "v1" && (await webcrypto.subtle.verify("HMAC", key, given, signed))) return true;
  }
  return false;
}

/** Of hooks.example.com, signed by itself, from 2020 to 2120. */
export function testCertificate(): string {
  return new X509Certificate(Buffer.from(CERTIFICATE, "base64")).toString();
}

function testKey(): string {
  const key = createPrivateKey({ key: Buffer.from(KEY, "base64"), format: "der", type: "pkcs8" });
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

const CERTIFICATE =
  "MIIBeTCCAR+gAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFob29rcy5leGFtcGxlLmNvbTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEaMBgGA1UEAwwRaG9va3MuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQFp4Pgv9yLB9gzgpUOg9BRwbE6mdB1ZKGBGr4qZ3wrAfsJy5RaJe8066kbzxudZ2bODPuDiYMeSZZOxhgN2V8To1AwTjAPBgNVHRMBAf8EBTADAQH/MBwGA1UdEQQVMBOCEWhvb2tzLmV4YW1wbGUuY29tMB0GA1UdDgQWBBRR7wWRtew6yOKHKwkLTw/PR9fKhTAKBggqhkjOPQQDAgNIADBFAiActkoTC+s76Zv/A9aXKb3tJ5FkJ+b/o2OLfSZ7zpa4lAIhAM6J8VWA00ixHuU3McWaH5Fy2welv7UpHLQEhnNroo+i";
const KEY =
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGuHWnbbe/HsX5tiKoSNUt1TuKm2yhPYbVG5n7VNqdcShRANCAAQFp4Pgv9yLB9gzgpUOg9BRwbE6mdB1ZKGBGr4qZ3wrAfsJy5RaJe8066kbzxudZ2bODPuDiYMeSZZOxhgN2V8T";
