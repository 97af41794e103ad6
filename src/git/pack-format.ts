/** The bytes of packs and of their indexes: `gitformat-pack`, version 2 of both. */
import { createHash } from "node:crypto";
import type { Oid } from "./contract.ts";

export type ObjectType = "commit" | "tree" | "blob" | "tag";

const STORED_BLOCK = 0xffff;

/**
 * A zlib stream (RFC 1950, 1951) of the bytes as they are. Half of a tree is ids, which do not deflate, and `git gc` makes a
 * delta of nearly every tree: deflating them would cost more than all the rest of a commit.
 */
export function stored(body: Uint8Array): Buffer {
  const blocks = Math.max(1, Math.ceil(body.length / STORED_BLOCK));
  const out = Buffer.allocUnsafe(2 + 5 * blocks + body.length + 4);
  let at = out.writeUInt16BE(0x7801, 0);
  for (let i = 0; i < blocks; i++) {
    const block = body.subarray(i * STORED_BLOCK, (i + 1) * STORED_BLOCK);
    at = out.writeUInt8(i === blocks - 1 ? 1 : 0, at);
    at = out.writeUInt16LE(block.length, at);
    at = out.writeUInt16LE(STORED_BLOCK - block.length, at);
    out.set(block, at);
    at += block.length;
  }
  out.writeUInt32BE(adler32(body), at);
  return out;
}

/** So many additions stay below 2^53 before a remainder has to be taken. */
const ADLER_RUN = 5552;

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let start = 0; start < bytes.length; start += ADLER_RUN) {
    const end = Math.min(start + ADLER_RUN, bytes.length);
    for (let i = start; i < end; i++) {
      a += bytes[i] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

export const PACK_MAGIC = 0x5041434b;
const INDEX_MAGIC = 0xff744f63;
const PACK_TYPES: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

export function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
}

/** Type and size: four bits of the size in the first byte, seven in each that follows, lowest first. */
export function entryHeader(type: ObjectType, size: number): Buffer {
  const bytes: number[] = [];
  let byte = (PACK_TYPES[type] << 4) | (size % 16);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80);
    byte = rest % 128;
  }
  bytes.push(byte);
  return Buffer.from(bytes);
}

export interface PackEntry {
  readonly oid: Oid;
  readonly offset: number;
  readonly crc: number;
}

/** Where an offset needs more than 31 bits, its place in a second table stands in the first. */
const LARGE = 2 ** 31;

export function packIndex(found: readonly PackEntry[], packChecksum: Buffer, hash: string): Buffer {
  const entries = [...found].sort((a, b) => (a.oid < b.oid ? -1 : 1));
  const counts = Array.from({ length: 256 }, () => 0);
  for (const { oid } of entries) {
    const first = Number.parseInt(oid.slice(0, 2), 16);
    counts[first] = (counts[first] ?? 0) + 1;
  }
  let total = 0;
  const fanOut = counts.map((count) => (total += count));
  const large: bigint[] = [];
  const offsets = entries.map(({ offset }) =>
    offset < LARGE ? offset : LARGE + large.push(BigInt(offset)) - 1,
  );
  const largeBytes = Buffer.alloc(large.length * 8);
  for (const [i, offset] of large.entries()) largeBytes.writeBigUInt64BE(offset, i * 8);
  const body = Buffer.concat([
    words([INDEX_MAGIC, 2, ...fanOut]),
    Buffer.from(entries.map((entry) => entry.oid).join(""), "hex"),
    words(entries.map((entry) => entry.crc)),
    words(offsets),
    largeBytes,
    packChecksum,
  ]);
  return Buffer.concat([body, createHash(hash).update(body).digest()]);
}
