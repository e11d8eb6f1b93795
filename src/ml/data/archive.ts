/**
 * Archives from outside, read distrustfully: .tar, .tar.gz, .tgz and .zip, told apart by content.
 *
 * Refused with the entry's name: absolute paths and ways up (`..`), links, devices, names that come twice, encrypted
 * entries, and bombs (more entries, bytes or expansion than any honest data set has). A first pass looks at everything
 * before any file is used; the second one reads what is wanted.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { openPromise as openZipFile, type Entry as ZipEntry, type ZipFile } from "yauzl";
import { crc32 } from "./crc32.ts";
import { DataError } from "./data-error.ts";
import type { FileTree, TreeFile } from "./file-tree.ts";

export interface ArchiveLimits {
  readonly entries: number;
  /** Of one file that is read into memory whole; others are streamed. */
  readonly fileBytes: number;
  readonly totalBytes: number;
  /** Unpacked by packed bytes, counted once more than `ratioFromBytes` are unpacked. */
  readonly ratio: number;
  readonly ratioFromBytes: number;
}

/** ImageNet has 1.4 million files in 150 GB; MNIST, the emptiest of the usual sets, expands by 5. */
export const ARCHIVE_LIMITS: ArchiveLimits = {
  entries: 5_000_000,
  fileBytes: 2 ** 30,
  totalBytes: 2 ** 39,
  ratio: 100,
  ratioFromBytes: 2 ** 26,
};

/** Lists and checks the archive at `path`; `name` is what it is called in messages. Throws `DataError`. */
export async function openArchive(path: string, name: string, limits = ARCHIVE_LIMITS): Promise<FileTree> {
  const { head, sizeBytes } = await readHead(path);
  const sort = sortOf(head, name);
  const walk = sort === "zip" ? walkZip : walkTar;
  const each: ArchiveWalk = { path, name, limits, sizeBytes, gzip: sort === "gzip" };
  const files = new Map<string, TreeFile>();
  let totalBytes = 0;
  await walk(each, async ({ path: entryPath, sizeBytes: entryBytes }) => {
    if (files.has(entryPath)) throw new DataError(`${name} holds ${quote(entryPath)} twice`);
    if (files.size >= limits.entries) throw new DataError(`${name} holds more than ${limits.entries} files`);
    totalBytes += entryBytes;
    checkExpansion(each, totalBytes);
    files.set(entryPath, { path: entryPath, sizeBytes: entryBytes });
    return false;
  });
  /** What the reader throws is no fault of the archive. */
  const walkFor = async (wanted: ReadonlySet<string>, use: OnEntry) => {
    let thrown: { readonly error: unknown } | undefined;
    const handOn: OnEntry = async (file, pieces) => {
      try {
        return await use(file, pieces);
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
    await walk(each, async (entry) => wanted.has(entry.path), handOn).catch((error: unknown) => {
      throw thrown === undefined ? error : thrown.error;
    });
  };
  return {
    name,
    files: [...files.values()],
    async read(wanted, use) {
      for (const path of wanted) {
        const { sizeBytes: fileBytes = 0 } = files.get(path) ?? {};
        if (fileBytes > limits.fileBytes)
          throw new DataError(
            `${quote(path)} in ${name} has ${fileBytes} bytes, more than the ${limits.fileBytes} allowed`,
          );
      }
      await walkFor(wanted, async ({ path: entryPath }, pieces) => {
        const chunks: Buffer[] = [];
        for await (const piece of pieces) chunks.push(piece);
        await use(entryPath, Buffer.concat(chunks));
        return undefined;
      });
    },
    async stream(wanted, use) {
      let used: { readonly value: Awaited<ReturnType<typeof use>> } | undefined;
      await walkFor(new Set([wanted]), async (_file, pieces) => {
        used = { value: await use(pieces) };
        return "stop";
      });
      if (used === undefined) throw new Error(`there is no file ${quote(wanted)} in ${name}`);
      return used.value;
    },
  };
}

interface ArchiveWalk {
  readonly path: string;
  readonly name: string;
  readonly limits: ArchiveLimits;
  /** Of the archive's file. */
  readonly sizeBytes: number;
  readonly gzip: boolean;
}

/** Whether the file's bytes are wanted. */
type OnFile = (file: TreeFile) => Promise<boolean>;
/** Takes all of a file's pieces, or says that the rest of the archive is not wanted. */
type OnEntry = (file: TreeFile, pieces: AsyncIterable<Buffer>) => Promise<"stop" | undefined>;

async function walkTar(archive: ArchiveWalk, onFile: OnFile, onEntry?: OnEntry): Promise<void> {
  const { path, name, gzip } = archive;
  let unpackedBytes = 0;
  let tail: Buffer = Buffer.alloc(0);
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      unpackedBytes += chunk.length;
      tail = chunk.length >= 512 ? chunk.subarray(-512) : Buffer.concat([tail, chunk]).subarray(-512);
      try {
        checkExpansion(archive, unpackedBytes);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const entries = extract();
  let failure: Error | undefined;
  const streams = gzip ? [createReadStream(path), createGunzip(), counter] : [createReadStream(path), counter];
  // `pipeline` passes errors on in one direction; the first one is what went wrong.
  pipeline([...streams, entries], (error) => {
    failure ??= error ?? undefined;
  });
  for (const stream of streams) stream.on("error", (error: Error) => (failure ??= error));
  const rootCause = (error: unknown): Error =>
    explain(failure instanceof DataError || !(error instanceof DataError) ? (failure ?? error) : error, name);
  try {
    for await (const entry of entries) {
      const { name: entryName, type, size = 0 } = entry.header;
      const entryPath = checkPath(entryName, name);
      if (type === "directory") {
        entry.resume();
        continue;
      }
      if (type !== "file" && type !== "contiguous-file")
        throw new DataError(`${quote(entryName)} in ${name} is no plain file but a ${type ?? "thing of unknown type"}`);
      const file = { path: entryPath, sizeBytes: size };
      if (!(await onFile(file)) || onEntry === undefined) entry.resume();
      else if ((await onEntry(file, checked(entry, file, rootCause))) === "stop") return;
    }
    // A cut between two entries looks like an end to the parser, but every tar ends in zeros.
    if (tail.some((byte) => byte !== 0))
      throw new DataError(`${name} is cut off: it does not end as a tar archive does`);
  } catch (error) {
    entries.destroy();
    throw rootCause(error);
  } finally {
    for (const stream of streams) stream.destroy();
  }
}

async function walkZip(archive: ArchiveWalk, onFile: OnFile, onEntry?: OnEntry): Promise<void> {
  const { path, name } = archive;
  let zip: ZipFile | undefined;
  try {
    zip = await openZipFile(path, { lazyEntries: true, autoClose: false, strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      const entryPath = checkPath(entry.fileName, name);
      if (entry.isEncrypted()) throw new DataError(`${quote(entry.fileName)} in ${name} is encrypted`);
      checkPlain(entry, name);
      if (entry.fileName.endsWith("/")) continue;
      const file = { path: entryPath, sizeBytes: entry.uncompressedSize };
      if (!(await onFile(file)) || onEntry === undefined) continue;
      const stream = await zip.openReadStreamPromise(entry);
      if (
        (await onEntry(
          file,
          checked(stream, file, (error) => explain(error, name), entry.crc32),
        )) === "stop"
      )
        return;
    }
  } catch (error) {
    throw explain(error, name);
  } finally {
    zip?.close();
  }
}

/** Unix puts a file's type into the upper half of the attributes. */
function checkPlain(entry: ZipEntry, name: string): void {
  const type = (entry.externalFileAttributes >>> 16) & 0xf000;
  if (type === 0xa000) throw new DataError(`${quote(entry.fileName)} in ${name} is no plain file but a symlink`);
  if (type !== 0 && type !== 0x8000 && type !== 0x4000)
    throw new DataError(`${quote(entry.fileName)} in ${name} is no plain file but a device or the like`);
}

function checkPath(path: string, name: string): string {
  const plain = path.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (plain.startsWith("/") || /^[A-Za-z]:/.test(plain) || plain.includes("\\") || plain.includes("\u0000"))
    throw new DataError(`${quote(path)} in ${name} is no relative path`);
  if (plain.split("/").includes("..")) throw new DataError(`${quote(path)} in ${name} leads out of the archive`);
  return plain
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

function checkExpansion({ name, limits, sizeBytes }: ArchiveWalk, unpackedBytes: number): void {
  if (unpackedBytes > limits.totalBytes)
    throw new DataError(`${name} unpacks to more than the ${limits.totalBytes} bytes allowed`);
  if (unpackedBytes > limits.ratioFromBytes && unpackedBytes > limits.ratio * sizeBytes)
    throw new DataError(
      `${name} has ${sizeBytes} bytes but unpacks to over ${limits.ratio} times as many: no honest data does`,
    );
}

/** An entry's bytes, which must be as many as it announces, and add up to its checksum. */
async function* checked(
  stream: AsyncIterable<unknown>,
  { path, sizeBytes }: TreeFile,
  explained: (error: unknown) => Error,
  checksum?: number,
): AsyncGenerator<Buffer> {
  let length = 0;
  let crc = 0;
  try {
    for await (const chunk of stream) {
      const piece = chunk as Buffer;
      length += piece.length;
      if (length > sizeBytes) break;
      if (checksum !== undefined) crc = crc32(piece, crc);
      yield piece;
    }
    if (length !== sizeBytes) throw new Error(`an entry has ${length} bytes where ${sizeBytes} were announced`);
    if (checksum !== undefined && crc !== checksum) throw new Error(`the checksum of ${quote(path)} does not match`);
  } catch (error) {
    throw explained(error);
  }
}

async function readHead(path: string): Promise<{ readonly head: Buffer; readonly sizeBytes: number }> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    return { head: buffer.subarray(0, bytesRead), sizeBytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

function sortOf(head: Buffer, name: string): "gzip" | "zip" | "tar" {
  const begins = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
  if (begins(0x1f, 0x8b)) return "gzip";
  if (begins(0x50, 0x4b, 3, 4) || begins(0x50, 0x4b, 5, 6)) return "zip";
  if (head.length === 512 && isTarHeader(head)) return "tar";
  const text = head.toString("latin1");
  const kinds: readonly (readonly [boolean, string, help?: string])[] = [
    [begins(0x42, 0x5a, 0x68), "it is packed with bzip2"],
    [begins(0xfd, 0x37, 0x7a, 0x58), "it is packed with xz"],
    [begins(0x28, 0xb5, 0x2f, 0xfd), "it is packed with zstd"],
    [begins(0x37, 0x7a, 0xbc, 0xaf), "it is a 7z archive"],
    [head.length === 0, "it is empty"],
    [/^\s*<(!doctype|html)/i.test(text), "it is a web page"],
    [begins(0x93, 0x4e, 0x55, 0x4d), "it is a single NPY array", folderHelp],
    [/^[\x20-\x7e\r\n\t]+$/.test(text), "it is a text file", folderHelp],
  ];
  const [, known, help] = kinds.find(([is]) => is) ?? [
    true,
    "its first bytes are of no known kind (encrypted, or not an archive?)",
  ];
  throw new DataError(`${name} is no .tar, .tar.gz or .zip archive: ${known}`, help);
}

const folderHelp = "connect the folder that it lies in, together with the other files of the data set";

/** The header's sum of bytes, its own eight taken as spaces, stands in it in octal. */
function isTarHeader(head: Buffer): boolean {
  const stated = Number.parseInt(head.toString("latin1", 148, 156), 8);
  let sum = 8 * 32;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += head[i]!;
  return sum === stated || head.every((byte) => byte === 0);
}

function explain(error: unknown, name: string): Error {
  if (error instanceof DataError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  // The world's other refusals (a disk that fails) keep their own words.
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return error as Error;
  const cut = /unexpected end/i.test(message) ? "it is cut off" : message;
  return new DataError(`${name} is damaged: ${cut}`, "get it again, or check it against its sha256");
}

const quote = (path: string) => JSON.stringify(path);
