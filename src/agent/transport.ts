/** How every model provider is reached over HTTP, whichever client library asks: with bounds, and with a key per request. */
import { AsyncLocalStorage } from "node:async_hooks";
import { modelFailure } from "./failure.ts";

export type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Bytes of one answer as it is streamed: far more than any model says. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

const requestKey = new AsyncLocalStorage<string>();

/** Requests that are made in the course of `work` carry this `Idempotency-Key`: a provider that knows it answers once. */
export function withRequestKey<T>(key: string, work: () => T): T {
  return requestKey.run(key, work);
}

export function createFetch({
  maxAnswerBytes = MAX_ANSWER_BYTES,
}: {
  maxAnswerBytes?: number | undefined;
}): Fetch {
  return async (url, init = {}) => {
    const key = requestKey.getStore();
    const headers = new Headers(init.headers);
    if (key !== undefined) headers.set("idempotency-key", key);
    const response = await fetch(url, { ...init, headers });
    return withBody(response, response.body?.pipeThrough(atMost(maxAnswerBytes)) ?? null);
  };
}

/** The same answer with another body; its encoding and length are no longer those of the wire. */
export function withBody(
  response: Response,
  body: ReadableStream<Uint8Array> | string | null,
  type?: string,
): Response {
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  if (type !== undefined) headers.set("content-type", type);
  const { status, statusText } = response;
  const empty = status === 204 || status === 205 || status === 304;
  return new Response(empty ? null : body, { status, statusText, headers });
}

function atMost(bytes: number): TransformStream<Uint8Array, Uint8Array> {
  let seen = 0;
  return new TransformStream({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen <= bytes) controller.enqueue(chunk);
      else controller.error(modelFailure(`The model provider's answer has more than ${bytes} bytes`));
    },
  });
}
