/**
 * Writes new objects where git finds them: a few as loose files, many as one pack with its index. An object is there once
 * its file is whole and in place, never before.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { crc32, deflate, deflateSync } from "node:zlib";
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import { newId } from "../host/ids.ts";
import { hashName, objectHeader, objectId } from "./bytes.ts";
import type { Oid } from "./contract.ts";
import { isMissing } from "./missing.ts";
import {
  entryHeader,
  type ObjectType,
  PACK_MAGIC,
  type PackEntry,
  packIndex,
  stored,
  words,
} from "./pack-format.ts";

export interface NewObject {
  readonly oid: Oid;
  readonly type: ObjectType;
  readonly body: Uint8Array;
}

export function newObject(type: ObjectType, body: Uint8Array, zero: Oid): NewObject {
  return { oid: objectId(type, body, zero), type, body };
}

export interface ObjectStore {
  /** All are readable when it returns. One that is there already does no harm. Throws git_failed, repository_read_only. */
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
  shared,
}: {
  readonly objectDir: string;
  readonly zero: Oid;
  /** Also flush loose objects to the disk. */
  readonly durable: boolean;
  /** `core.sharedRepository` as it is configured, or null. */
  readonly shared: string | null;
}): ObjectStore {
  const place = createPlace(sharedBits(shared));
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
    await unlessSwept(async () => {
      const draft = path.join(directory, `tmp_obj_${newId("o")}`);
      await place(draft, content, durable);
      failPoint("objects.draft");
      await rename(draft, path.join(directory, oid.slice(2)));
    });
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
    const name = path.join(directory, `pack-${trailer.toString("hex")}`);
    await unlessSwept(async () => {
      const draft = path.join(directory, `tmp_pack_${newId("p")}`);
      // A pack is flushed as git does it by default: one file stands for much.
      await Promise.all([
        place(`${draft}.pack`, Buffer.concat(chunks), true),
        place(`${draft}.idx`, packIndex(entries, trailer, hash), true),
      ]);
      // The index last: git takes no notice of a pack before.
      await rename(`${draft}.pack`, `${name}.pack`);
      await rename(`${draft}.idx`, `${name}.idx`);
    });
  };

  return {
    async write(objects) {
      const unique = [...new Map(objects.map((object) => [object.oid, object])).values()];
      failPoint("objects.before");
      try {
        if (unique.length >= PACKED_FROM) await writePack(unique);
        else await Promise.all(unique.map(writeLoose));
        failPoint("objects.after");
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const code = /^(?:EACCES|EPERM|EROFS)\b/.test(why) ? "repository_read_only" : "git_failed";
        throw new OxbowError(code, `Objects could not be written: ${why}`, { cause: error });
      }
    },
  };
}

const MAX_SWEEPS = 10;

/** A `git gc` removes empty directories, and one that prunes at once also drafts, between two steps of `write`. */
async function unlessSwept(write: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      if (!isMissing(error) || tries === MAX_SWEEPS) throw error;
    }
  }
}

/** Writes a draft next to its final place, read-only as git's own objects are; `more` are permissions for others. */
function createPlace(more: number): (file: string, content: Uint8Array, flushed: boolean) => Promise<void> {
  const make = (file: string) => open(file, "wx", 0o444);
  const makeFolder = async (directory: string): Promise<void> => {
    await mkdir(directory, { recursive: true });
    // Whoever may read a directory may also enter it; what is made in it belongs to its group.
    if (more === 0) return;
    const { mode } = await stat(directory);
    await chmod(directory, mode | 0o2000 | more | ((more & 0o444) >> 2));
  };
  return async (file, content, flushed) => {
    const handle = await make(file).catch(async (error: unknown) => {
      if (!isMissing(error)) throw error;
      await makeFolder(path.dirname(file));
      return make(file);
    });
    try {
      await handle.writeFile(content);
      if (more !== 0) await handle.chmod(0o444 & (0o400 | more));
      if (flushed) await handle.sync();
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  };
}

/** What `core.sharedRepository` lets others do with the files of the repository, as in `git help config`. */
function sharedBits(value: string | null): number {
  if (value === null || /^(?:umask|false|no|off|0)$/i.test(value)) return 0;
  if (/^(?:group|true|yes|on|1)$/i.test(value)) return 0o660;
  if (/^(?:all|world|everybody|2)$/i.test(value)) return 0o664;
  return /^0[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : 0;
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
