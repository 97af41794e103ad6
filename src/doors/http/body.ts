/**
 * Bodies, read once and before any route: at most so many bytes, then UTF-8, then JSON of a sane depth. What is too large
 * is not read to its end.
 */
import type { MiddlewareHandler } from "hono";
import { OxbowError } from "../../core/errors.ts";
import type { Env } from "./contract.ts";
import { invalidField } from "./problem.ts";

export const MAX_BODY_BYTES = 1_048_576;
/** Arrays and objects within each other. */
const MAX_DEPTH = 64;
const BODILESS = new Set(["GET", "HEAD", "OPTIONS"]);

/** `isMount`: of another door, which reads its bodies itself. */
export function readBodies(isMount: (path: string) => boolean): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (BODILESS.has(c.req.method)) return next();
    const bytes = await bounded(c.req.raw, c.req.header("content-length"));
    if (isMount(c.req.path)) c.set("bytes", bytes);
    else if (bytes.length > 0 || isJson(c.req.header("content-type"))) {
      if (!isJson(c.req.header("content-type")))
        throw new OxbowError("media_type_unsupported", "A body is understood as JSON only.");
      c.req.bodyCache.json = Promise.resolve(bytes.length === 0 ? {} : parseBody(bytes));
    }
    // Whoever looks at the body again finds it here: a request can be read once.
    else c.req.bodyCache.arrayBuffer = bytes.buffer;
    return next();
  };
}

async function bounded(request: Request, length: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (length !== undefined && Number(length) > MAX_BODY_BYTES) throw tooLarge();
  const reader = request.body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const value = await part(reader);
    if (value === undefined) break;
    size += value.length;
    if (size > MAX_BODY_BYTES) {
      await reader?.cancel();
      throw tooLarge();
    }
    parts.push(value);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** Undefined at the end. Throws request_invalid for who went away before it. */
async function part(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return (await reader?.read())?.value;
  } catch (error) {
    throw new OxbowError("request_invalid", "The body did not come to its end.", { cause: error });
  }
}

function tooLarge(): OxbowError {
  return new OxbowError("request_too_large", `A body may have ${MAX_BODY_BYTES} bytes.`);
}

function isJson(type: string | undefined): boolean {
  return type !== undefined && /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type.trim());
}

/** Throws request_invalid. */
export function parseBody(bytes: Uint8Array): unknown {
  const text = decoded(bytes);
  if (depthOf(text) > MAX_DEPTH)
    throw invalidField("", `The body has arrays or objects more than ${MAX_DEPTH} deep.`);
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message.replace(/, ".*" is not valid JSON$/s, "") : "";
    throw invalidField("", `The body is not JSON. ${why}`.trim());
  }
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Its only failure.
    throw invalidField("", "The body is not UTF-8.");
  }
}

function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (inString) {
      if (character === 0x5c) at += 1;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x5b || character === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (character === 0x5d || character === 0x7d) depth -= 1;
  }
  return deepest;
}
