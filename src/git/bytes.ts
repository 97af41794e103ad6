/** Small things about bytes: incremental reading from a stream, names that are not text, ids of blobs, a bounded cache. */
import { createHash } from "node:crypto";
import type { Oid } from "./contract.ts";

/** Bytes that have arrived and were not consumed yet. */
export interface ByteQueue {
  push(chunk: Buffer): void;
  /** The bytes before the next `delimiter`, which is consumed too; null when it has not arrived. */
  until(delimiter: number): Buffer | null;
  /** Exactly `count` bytes, or null when they have not all arrived. */
  take(count: number): Buffer | null;
  clear(): void;
}

export function createByteQueue(): ByteQueue {
  let chunks: Buffer[] = [];
  let total = 0;
  const flat = (): Buffer => {
    if (chunks.length !== 1) chunks = [Buffer.concat(chunks, total)];
    return chunks[0] ?? Buffer.alloc(0);
  };
  const drop = (all: Buffer, count: number): void => {
    chunks = count === all.length ? [] : [all.subarray(count)];
    total -= count;
  };
  return {
    push(chunk) {
      chunks.push(chunk);
      total += chunk.length;
    },
    until(delimiter) {
      if (total === 0) return null;
      const all = flat();
      const at = all.indexOf(delimiter);
      if (at < 0) return null;
      drop(all, at + 1);
      return all.subarray(0, at);
    },
    take(count) {
      if (total < count) return null;
      const all = flat();
      drop(all, count);
      return all.subarray(0, count);
    },
    clear() {
      chunks = [];
      total = 0;
    },
  };
}

/**
 * A path as Git stores it: one character per byte. Names need not be valid UTF-8, and comparing these strings is
 * comparing bytes, Git's own order.
 */
export type RawPath = string;

// eslint-disable-next-line no-control-regex -- this is exactly the ASCII range
const ASCII = /^[\u0000-\u007f]*$/;

export function toRaw(path: string): RawPath {
  return ASCII.test(path) ? path : Buffer.from(path, "utf8").toString("latin1");
}

/** The text of a path, or null when its bytes are not UTF-8. */
export function textOf(raw: RawPath): string | null {
  if (ASCII.test(raw)) return raw;
  const text = lossyText(raw);
  return toRaw(text) === raw ? text : null;
}

/** The text of a path with U+FFFD for what is not UTF-8: to match patterns, never to address a file. */
export function lossyText(raw: RawPath): string {
  return ASCII.test(raw) ? raw : Buffer.from(raw, "latin1").toString("utf8");
}

/** The text of a path; one that is not UTF-8 is shown quoted, as git shows it, and cannot be addressed. */
export function shownPath(raw: RawPath): string {
  return textOf(raw) ?? quotePath(raw);
}

/** C-style quoting as git and fast-import read it. */
export function quotePath(raw: RawPath): string {
  let out = '"';
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code === 0x22 || code === 0x5c) out += `\\${raw.charAt(i)}`;
    else if (code < 0x20 || code > 0x7e) out += `\\${code.toString(8).padStart(3, "0")}`;
    else out += raw.charAt(i);
  }
  return `${out}"`;
}

/** The hash of a repository, told by the length of its null id. */
export function hashName(zero: Oid): "sha1" | "sha256" {
  return zero.length === 64 ? "sha256" : "sha1";
}

/** What Git hashes, and keeps in a loose file, before the bytes of an object. */
export function objectHeader(type: string, size: number): Buffer {
  return Buffer.from(`${type} ${size}\0`);
}

/** The id that Git gives to an object. */
export function objectId(type: string, body: Uint8Array, zero: Oid): Oid {
  return createHash(hashName(zero)).update(objectHeader(type, body.length)).update(body).digest("hex");
}

export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, weight: number): void;
}

/** Keeps the most recently used values up to a total weight. */
export function createCache<V>(maxWeight: number): Cache<V> {
  const values = new Map<string, { value: V; weight: number }>();
  let total = 0;
  const remove = (key: string): void => {
    total -= values.get(key)?.weight ?? 0;
    values.delete(key);
  };
  return {
    get(key) {
      const found = values.get(key);
      if (found === undefined) return undefined;
      values.delete(key);
      values.set(key, found);
      return found.value;
    },
    set(key, value, weight) {
      remove(key);
      values.set(key, { value, weight });
      total += weight;
      for (const oldest of values.keys()) {
        if (total <= maxWeight || oldest === key) break;
        remove(oldest);
      }
    },
  };
}
