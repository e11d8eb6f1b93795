/**
 * The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * `{name: {dtype, shape, data_offsets}, __metadata__}`, then the tensors' bytes back to back.
 *
 * Written canonically (names in code-unit order, metadata sorted, header padded with spaces to 8 bytes), so equal
 * content is equal bytes. Read distrustfully: a header that lies about sizes, overlaps, leaves holes or runs past the
 * file's end is refused with the reason, before a byte of data is believed.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { canonicalJson } from "../../json.ts";
import { repeatedKey } from "./repeated-key.ts";

export type SafetensorsDType = "F32" | "F64" | "F16" | "BF16" | "I64" | "I32" | "U8" | "BOOL";
export type SafetensorsArray = Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array;

export interface StoredTensor {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data: SafetensorsArray;
}

export interface TensorEntry {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** Byte range of the data, counted from the file's start. */
  readonly begin: number;
  readonly end: number;
}

const ELEMENT_BYTES: Readonly<Record<SafetensorsDType, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
  BOOL: 1,
};
/** As the reference implementation: a header larger than this is an attack, not a model. */
const MAX_HEADER_BYTES = 100_000_000;
/** One call to read or write takes no more than 2 GiB. */
const CHUNK_BYTES = 0x40000000;
const METADATA = "__metadata__";

export class SafetensorsError extends Error {
  constructor(path: string, problem: string) {
    super(`${path} is not a valid safetensors file: ${problem}`);
    this.name = "SafetensorsError";
  }
}

/** Writes `tensors` to a new file at `path` (fails where one exists). Metadata values are strings, as the format says. */
export function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    if (elementCount(shape) !== data.length)
      throw new Error(`tensor ${name}: shape [${shape}] has ${elementCount(shape)} elements, the data ${data.length}`);
    if (data.BYTES_PER_ELEMENT !== ELEMENT_BYTES[dtype])
      throw new Error(
        `tensor ${name}: ${dtype} has ${ELEMENT_BYTES[dtype]} bytes an element, the data ${data.BYTES_PER_ELEMENT}`,
      );
  }
  const writer = createSafetensors(path, tensors, metadata);
  try {
    for (const [name, { data }] of Object.entries(tensors))
      writer.write(name, 0, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } finally {
    writer.close();
  }
}

export type TensorLayout = Pick<StoredTensor, "dtype" | "shape">;

/** A file of tensors too large to be in memory at once: laid out first, then written piece by piece in any order. */
export interface SafetensorsWriter {
  /** Bytes of tensor `name`, from its byte `begin` on. What is never written reads as zeros. */
  write(name: string, begin: number, bytes: Uint8Array): void;
  close(): void;
}

/** Creates the file at `path` (fails where one exists) with its header and its full size. */
export function createSafetensors(
  path: string,
  layouts: Readonly<Record<string, TensorLayout>>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsWriter {
  // Put together by hand: an object would move names like "10" to the front, and lose "__proto__".
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"${METADATA}":${canonicalJson(metadata)}`);
  const ranges = new Map<string, { readonly begin: number; readonly end: number }>();
  let offset = 0;
  for (const name of Object.keys(layouts).sort()) {
    const { dtype, shape } = layouts[name]!;
    const end = offset + elementCount(shape) * ELEMENT_BYTES[dtype];
    if (name === METADATA) throw new Error(`a tensor cannot be called ${METADATA}`);
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    ranges.set(name, { begin: offset, end });
    offset = end;
  }
  let text = Buffer.from(`{${members.join(",")}}`, "utf8");
  text = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, 0x20)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const dataStart = 8 + text.length;

  const file = openSync(path, "wx");
  try {
    writeAt(file, Buffer.concat([length, text]), 0);
    ftruncateSync(file, dataStart + offset);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return {
    write(name, begin, bytes) {
      const range = ranges.get(name);
      if (range === undefined) throw new Error(`${path} was laid out without a tensor ${name}`);
      if (begin < 0 || range.begin + begin + bytes.length > range.end)
        throw new Error(`tensor ${name} has ${range.end - range.begin} bytes, not ${begin + bytes.length}`);
      writeAt(file, bytes, dataStart + range.begin + begin);
    },
    close: () => closeSync(file),
  };
}

/** A file whose header was checked; tensors are read one at a time. */
export interface Safetensors {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): StoredTensor;
  /** `length` bytes of a tensor from its byte `begin` on, for who does not want it whole. */
  readBytes(name: string, begin: number, length: number): Uint8Array;
}

/** Throws `SafetensorsError` where the file is not what it should be. */
export function openSafetensors(path: string): Safetensors {
  const refuse = (problem: string): never => {
    throw new SafetensorsError(path, problem);
  };
  const { entries, metadata } = withFile(path, (file) => {
    const sizeBytes = fstatSync(file).size;
    if (sizeBytes < 8) return refuse(`it has ${sizeBytes} bytes, fewer than the header's length takes`);
    const headerBytes = Number(readAt(file, 0, 8).readBigUInt64LE());
    if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > sizeBytes)
      return refuse(`its header claims ${headerBytes} bytes of ${sizeBytes}`);
    let text: string;
    let header: unknown;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readAt(file, 8, headerBytes));
      header = JSON.parse(text);
    } catch {
      return refuse("its header is not JSON");
    }
    const repeated = repeatedKey(text);
    // Readers differ in which of the two they believe.
    if (repeated !== undefined) return refuse(`its header says ${JSON.stringify(repeated)} twice`);
    return checkHeader(header, 8 + headerBytes, sizeBytes, refuse);
  });
  const entryOf = (name: string): TensorEntry =>
    entries.get(name) ?? refuse(`it has no tensor ${JSON.stringify(name)}`);
  return {
    entries,
    metadata,
    read(name) {
      const entry = entryOf(name);
      const bytes = withFile(path, (file) => readAt(file, entry.begin, entry.end - entry.begin));
      return { dtype: entry.dtype, shape: entry.shape, data: typedArray(entry.dtype, bytes) };
    },
    readBytes(name, begin, length) {
      const entry = entryOf(name);
      if (begin < 0 || entry.begin + begin + length > entry.end)
        throw new Error(`tensor ${name} has ${entry.end - entry.begin} bytes, not ${begin + length}`);
      return withFile(path, (file) => readAt(file, entry.begin + begin, length));
    },
  };
}

function checkHeader(header: unknown, dataStart: number, sizeBytes: number, refuse: (problem: string) => never) {
  if (!isObject(header)) return refuse("its header is not an object");
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) {
      if (!isObject(value) || Object.values(value).some((v) => typeof v !== "string"))
        return refuse("its metadata is not a map of strings");
      metadata = value as Record<string, string>;
      continue;
    }
    if (!isObject(value)) return refuse(`tensor ${name} is described by something that is no object`);
    const { dtype, shape, data_offsets: offsets } = value;
    if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype))
      return refuse(`tensor ${name} has the unknown dtype ${JSON.stringify(dtype)}`);
    const elementBytes = ELEMENT_BYTES[dtype as SafetensorsDType];
    if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
      return refuse(`tensor ${name} has a malformed shape or offsets`);
    const [begin, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
    if (end > sizeBytes) return refuse(`tensor ${name} ends at byte ${end}, the file at ${sizeBytes} (truncated?)`);
    if (end - begin !== elementCount(shape) * elementBytes)
      return refuse(
        `tensor ${name} of shape [${shape}] takes ${elementCount(shape) * elementBytes} bytes, not ${end - begin}`,
      );
    entries.set(name, { dtype: dtype as SafetensorsDType, shape, begin, end });
  }
  let position = dataStart;
  for (const [name, entry] of [...entries].sort((a, b) => a[1].begin - b[1].begin || a[1].end - b[1].end)) {
    if (entry.begin !== position) return refuse(`tensor ${name} overlaps another or leaves a hole before it`);
    position = entry.end;
  }
  if (position !== sizeBytes) return refuse(`${sizeBytes - position} bytes after the last tensor belong to none`);
  return { entries, metadata };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function typedArray(dtype: SafetensorsDType, bytes: Buffer): SafetensorsArray {
  const [buffer, start, count] = [bytes.buffer, bytes.byteOffset, bytes.length / ELEMENT_BYTES[dtype]];
  switch (dtype) {
    case "F64":
      return new Float64Array(buffer, start, count);
    case "I64":
      return new BigInt64Array(buffer, start, count);
    case "F32":
      return new Float32Array(buffer, start, count);
    case "I32":
      return new Int32Array(buffer, start, count);
    case "F16":
    case "BF16":
      return new Uint16Array(buffer, start, count);
    case "U8":
    case "BOOL":
      return new Uint8Array(buffer, start, count);
  }
}

function withFile<T>(path: string, use: (file: number) => T): T {
  const file = openSync(path, "r");
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, position: number, length: number): Buffer {
  // Not Buffer.allocUnsafe: typed arrays over the result need its memory aligned and its own.
  const buffer = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const count = readSync(file, buffer, done, Math.min(length - done, CHUNK_BYTES), position + done);
    if (count === 0) throw new Error("the file ended while it was read");
    done += count;
  }
  return buffer;
}

function writeAt(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, CHUNK_BYTES), position + done);
}
