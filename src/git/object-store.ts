/**
 * Writes new objects where git finds them: a few as loose files, many as one pack with its index (`gitformat-pack`,
 * version 2 both). Nothing refers to an object before its file is whole and in place.
 */
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { crc32, deflate, deflateSync } from "node:zlib";
import { OxbowError } from "../core/errors.ts";
import { newId } from "../host/ids.ts";
import { hashName, objectHeader, objectId } from "./bytes.ts";
import type { Oid } from "./contract.ts";
import { isMissing } from "./missing.ts";

export type ObjectType = "commit" | "tree" | "blob" | "tag";

export interface NewObject {
  readonly oid: Oid;
  readonly type: ObjectType;
  readonly body: Uint8Array;
}

export function newObject(type: ObjectType, body: Uint8Array, zero: Oid): NewObject {
  return { oid: objectId(type, body, zero), type, body };
}

export interface ObjectStore {
  /** All are readable when it returns. One that is there already does no harm. Throws git_failed. */
  write(objects: readonly NewObject[]): Promise<void>;
}

/** A loose object costs a file, about a millisecond; a pack costs every later look-up a little. */
const PACKED_FROM = 40;
/** Larger bodies are deflated on another thread. */
const DEFLATE_ASIDE = 32 * 1024;
/** Deflating and hashing stop for the rest of the process this often, in milliseconds. */
const SLICE_MS = 5;
/** Speed over size: what stays is packed again by `git gc` some day. */
const DEFLATE = { level: 1 };

const deflateAside = promisify<Uint8Array, { level: number }, Buffer>(deflate);

export function createObjectStore({
  objectDir,
  zero,
  durable,
}: {
  readonly objectDir: string;
  readonly zero: Oid;
  /** Also flush loose objects to the disk. */
  readonly durable: boolean;
}): ObjectStore {
  const hash = hashName(zero);
  const slice = createSlices();

  const compress = async (type: ObjectType, body: Uint8Array): Promise<Uint8Array> => {
    await slice();
    if (type === "tree") return stored(body);
    return body.length < DEFLATE_ASIDE ? deflateSync(body, DEFLATE) : deflateAside(body, DEFLATE);
  };

  const writeLoose = async ({ oid, type, body }: NewObject): Promise<void> => {
    const directory = path.join(objectDir, oid.slice(0, 2));
    const content = await compress(type, Buffer.concat([objectHeader(type, body.length), body]));
    const draft = path.join(directory, `tmp_obj_${newId("o")}`);
    await writeFile(draft, content, durable, directory);
    await rename(draft, path.join(directory, oid.slice(2)));
  };

  const writePack = async (objects: readonly NewObject[]): Promise<void> => {
    const checksum = createHash(hash);
    const chunks: Uint8Array[] = [];
    let offset = 0;
    const put = (chunk: Uint8Array): void => {
      checksum.update(chunk);
      chunks.push(chunk);
      offset += chunk.length;
    };
    put(words([PACK_MAGIC, 2, objects.length]));
    const entries: PackEntry[] = [];
    for (const { oid, type, body } of objects) {
      const start = offset;
      const header = entryHeader(type, body.length);
      const content = await compress(type, body);
      put(header);
      put(content);
      entries.push({ oid, offset: start, crc: crc32(content, crc32(header)) });
    }
    const trailer = checksum.digest();
    chunks.push(trailer);
    const directory = path.join(objectDir, "pack");
    const draft = path.join(directory, `tmp_pack_${newId("p")}`);
    const name = path.join(directory, `pack-${trailer.toString("hex")}`);
    // A pack is flushed as git does it by default: one file stands for much.
    await Promise.all([
      writeFile(`${draft}.pack`, Buffer.concat(chunks), true, directory),
      writeFile(`${draft}.idx`, packIndex(entries, trailer, hash), true, directory),
    ]);
    // The index last: git takes no notice of a pack before.
    await rename(`${draft}.pack`, `${name}.pack`);
    await rename(`${draft}.idx`, `${name}.idx`);
  };

  return {
    async write(objects) {
      const unique = [...new Map(objects.map((object) => [object.oid, object])).values()];
      try {
        if (unique.length >= PACKED_FROM) await writePack(unique);
        else await Promise.all(unique.map(writeLoose));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new OxbowError("git_failed", `Objects could not be written: ${why}`, { cause: error });
      }
    },
  };
}

/** A draft next to its final place, read-only as git's own objects are. */
async function writeFile(
  file: string,
  content: Uint8Array,
  flushed: boolean,
  directory: string,
): Promise<void> {
  const handle = await open(file, "wx", 0o444).catch(async (error: unknown) => {
    if (!isMissing(error)) throw error;
    await mkdir(directory, { recursive: true });
    return open(file, "wx", 0o444);
  });
  try {
    await handle.writeFile(content);
    if (flushed) await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Gives the rest of the process a turn when this work has had its slice. */
function createSlices(): () => Promise<void> {
  let since = 0;
  return async () => {
    const now = performance.now();
    if (now - since < SLICE_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}

const STORED_BLOCK = 0xffff;

/**
 * A zlib stream (RFC 1950, 1951) of the bytes as they are. Half of a tree is ids, which do not deflate, and `git gc` makes a
 * delta of nearly every tree: deflating them would cost more than all the rest of a commit.
 */
function stored(body: Uint8Array): Buffer {
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

const PACK_MAGIC = 0x5041434b;
const INDEX_MAGIC = 0xff744f63;
const PACK_TYPES: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
}

/** Type and size: four bits of the size in the first byte, seven in each that follows, lowest first. */
function entryHeader(type: ObjectType, size: number): Buffer {
  const bytes: number[] = [];
  let byte = (PACK_TYPES[type] << 4) | (size % 16);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80);
    byte = rest % 128;
  }
  bytes.push(byte);
  return Buffer.from(bytes);
}

interface PackEntry {
  readonly oid: Oid;
  readonly offset: number;
  readonly crc: number;
}

/** Where an offset needs more than 31 bits, its place in a second table stands in the first. */
const LARGE = 2 ** 31;

function packIndex(found: readonly PackEntry[], packChecksum: Buffer, hash: string): Buffer {
  const entries = [...found].sort((a, b) => (a.oid < b.oid ? -1 : 1));
  const counts = new Array<number>(256).fill(0);
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
