import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { repeatedKey } from "../../../src/ml/checkpoint/repeated-key.ts";
import {
  openSafetensors,
  SafetensorsError,
  type StoredTensor,
  writeSafetensors,
} from "../../../src/ml/checkpoint/safetensors.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tfpipe-safetensors-"));
  file = join(folder, "x.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

const f32 = (shape: number[], ...values: number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(values),
});

describe("what is written", () => {
  test("is the format, byte for byte: length, header in order padded to 8, tensors back to back", () => {
    writeSafetensors(
      file,
      { b: f32([2], 1, 2), a: { dtype: "U8", shape: [1, 3], data: Uint8Array.of(7, 8, 9) } },
      { k: "v" },
    );
    const header =
      '{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[1,3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8, " ");
    const bytes = readFileSync(file);
    expect(bytes.readBigUInt64LE()).toBe(BigInt(padded.length));
    expect(bytes.subarray(8, 8 + padded.length).toString()).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([7, 8, 9, 0, 0, 128, 63, 0, 0, 0, 64]);
  });

  test("does not depend on the order in which tensors and metadata were given", () => {
    const other = join(folder, "y.safetensors");
    writeSafetensors(file, { a: f32([1], 1), 10: f32([1], 2), 9: f32([1], 3) }, { x: "1", 10: "2", 9: "3" });
    writeSafetensors(other, { 9: f32([1], 3), a: f32([1], 1), 10: f32([1], 2) }, { 9: "3", 10: "2", x: "1" });
    expect(readFileSync(file)).toEqual(readFileSync(other));
    expect(readFileSync(file, "utf8")).toMatch(/"10":.*"9":.*"a":/s);
  });

  test("comes back, whatever the dtype, the shape and the bits", () => {
    const tensors: Record<string, StoredTensor> = {
      scalar: f32([], -0),
      empty: f32([3, 0]),
      nan: f32([2], Number.NaN, Number.NEGATIVE_INFINITY),
      f64: { dtype: "F64", shape: [1], data: Float64Array.of(Math.PI) },
      i64: { dtype: "I64", shape: [1], data: BigInt64Array.of(-(2n ** 60n)) },
      i32: { dtype: "I32", shape: [2], data: Int32Array.of(-1, 7) },
      f16: { dtype: "F16", shape: [1], data: Uint16Array.of(0x3c00) },
      bf16: { dtype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) },
      bool: { dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) },
      u8: { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
      'name with "quotes", é and \u0000': f32([1], 1),
    };
    writeSafetensors(file, tensors, { classNames: '["cat"]' });
    const read = openSafetensors(file);
    expect([...read.entries.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, tensor] of Object.entries(tensors)) expect(read.read(name)).toEqual(tensor);
    expect(read.metadata).toEqual({ classNames: '["cat"]' });
    expect(() => read.read("other")).toThrow('it has no tensor "other"');
  });

  test("a tensor may be called like what every object has", () => {
    const tensors = Object.fromEntries(["__proto__", "constructor", "toString"].map((name) => [name, f32([1], 4)]));
    writeSafetensors(file, tensors);
    const read = openSafetensors(file);
    for (const name of Object.keys(tensors)) expect(read.read(name).data).toEqual(Float32Array.of(4));
    expect(() => read.read("hasOwnProperty")).toThrow(SafetensorsError);
  });

  test("is never over another file, and never what its shape or dtype does not say", () => {
    writeFileSync(file, "mine");
    expect(() => writeSafetensors(file, { a: f32([1], 1) })).toThrow("EEXIST");
    expect(readFileSync(file, "utf8")).toBe("mine");
    const other = join(folder, "other");
    expect(() => writeSafetensors(other, { a: f32([3], 1) })).toThrow("shape [3] has 3 elements, the data 1");
    expect(() => writeSafetensors(other, { a: { dtype: "F64", shape: [1], data: Float32Array.of(1) } })).toThrow(
      "F64 has 8 bytes",
    );
    expect(() => writeSafetensors(other, { __metadata__: f32([1], 1) })).toThrow("cannot be called __metadata__");
  });
});

/** A file with this header and so many data bytes. */
function forge(header: string | Buffer, dataBytes = 0, claimedBytes?: number | bigint): string {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimedBytes ?? text.length));
  writeFileSync(file, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
  return file;
}

function writeText(text: string): string {
  writeFileSync(file, text);
  return file;
}

const entry = (begin: number, end: number, shape = `[${(end - begin) / 4}]`, dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":[${begin},${end}]}`;

describe("what lies is refused, with the reason", () => {
  const attacks: [name: string, write: () => string, reason: RegExp][] = [
    ["an empty file", () => writeText(""), /it has 0 bytes/],
    ["a file shorter than a length", () => writeText("1234567"), /it has 7 bytes/],
    ["a header longer than the file", () => forge("{}", 0, 1000), /claims 1000 bytes of 10/],
    ["a header of 2^64 - 1 bytes", () => forge("{}", 0, 2n ** 64n - 1n), /claims 18446744073709552000 bytes/],
    ["a header beyond all models", () => forge("{}", 0, 100_000_001), /claims 100000001 bytes/],
    ["a header that is no JSON", () => forge("{not json}"), /header is not JSON/],
    ["a header that is no UTF-8", () => forge(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), /header is not JSON/],
    ["a header with a byte order mark", () => forge("\ufeff{}"), /header is not JSON/],
    ["a header that is a list", () => forge("[]"), /header is not an object/],
    ["a header that is null", () => forge("null"), /header is not an object/],
    ["an entry that is null", () => forge('{"a":null}'), /tensor a is described by something that is no object/],
    ["an entry that is a number", () => forge('{"a":1}'), /tensor a is described by something that is no object/],
    ["metadata that is no map", () => forge('{"__metadata__":["x"]}'), /metadata is not a map of strings/],
    ["metadata with a number", () => forge('{"__metadata__":{"x":1}}'), /metadata is not a map of strings/],
    ["an unknown dtype", () => forge(`{"a":${entry(0, 4, "[1]", '"F31"')}}`, 4), /unknown dtype "F31"/],
    [
      "a dtype that every object has",
      () => forge(`{"a":${entry(0, 4, "[1]", '"toString"')}}`, 4),
      /unknown dtype "toString"/,
    ],
    ["no dtype", () => forge('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), /unknown dtype undefined/],
    ["a negative size", () => forge(`{"a":${entry(0, 4, "[-1]")}}`, 4), /malformed shape/],
    ["a fractional size", () => forge(`{"a":${entry(0, 4, "[0.5]")}}`, 4), /malformed shape/],
    ["a size that is text", () => forge(`{"a":${entry(0, 4, '["1"]')}}`, 4), /malformed shape/],
    ["a size beyond exact numbers", () => forge(`{"a":${entry(0, 4, "[9007199254740993]")}}`, 4), /malformed shape/],
    [
      "a product beyond all memory",
      () => forge(`{"a":${entry(0, 4, "[4294967296,4294967296,4294967296]")}}`, 4),
      /takes .* bytes, not 4/,
    ],
    [
      "a product that overflows past a zero",
      () => forge(`{"a":${entry(0, 0, `[${Array(40).fill("9007199254740991")},0]`)}}`),
      /takes NaN bytes/,
    ],
    [
      "an offset missing",
      () => forge('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', 4),
      /malformed shape or offsets/,
    ],
    ["offsets beyond the file", () => forge(`{"a":${entry(0, 8)}}`, 4), /ends at byte .*truncated/],
    [
      "offsets backwards",
      () => forge('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4),
      /takes 4 bytes, not -4/,
    ],
    ["a shape smaller than its bytes", () => forge(`{"a":${entry(0, 8, "[1]")}}`, 8), /takes 4 bytes, not 8/],
    ["tensors that overlap", () => forge(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), /tensor b overlaps/],
    ["two names for the same bytes", () => forge(`{"a":${entry(0, 4)},"b":${entry(0, 4)}}`, 4), /overlaps another/],
    ["a hole between tensors", () => forge(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), /leaves a hole/],
    ["a hole at the front", () => forge(`{"a":${entry(4, 8)}}`, 8), /leaves a hole/],
    ["bytes that belong to no tensor", () => forge(`{"a":${entry(0, 4)}}`, 8), /4 bytes after the last tensor/],
    ["the same tensor twice", () => forge(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4), /says "a" twice/],
    [
      "the same tensor twice, once escaped",
      () => forge(`{"a":${entry(0, 4)},"\\u0061":${entry(0, 4)}}`, 4),
      /says "a" twice/,
    ],
    [
      "a shape twice",
      () => forge('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
      /says "shape" twice/,
    ],
  ];
  test.each(attacks)("%s", (_, write, reason) => {
    const path = write();
    expect(() => openSafetensors(path)).toThrow(SafetensorsError);
    expect(() => openSafetensors(path)).toThrow(reason);
  });

  test("a header with a prototype in it harms nothing", () => {
    const read = openSafetensors(forge(`{"__metadata__":{"__proto__":"x"},"__proto__":${entry(0, 4)}}`, 4));
    expect(read.read("__proto__").shape).toEqual([1]);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  test("any byte of a header changed is refused or read as what it says, never a crash", () => {
    writeSafetensors(file, { weight: f32([2, 2], 1, 2, 3, 4), bias: f32([2], 5, 6) }, { format: "pt" });
    const good = readFileSync(file);
    const end = 8 + Number(good.readBigUInt64LE());
    fc.assert(
      fc.property(fc.nat(end - 1), fc.nat(255), (at, byte) => {
        const bad = Buffer.from(good);
        bad[at] = byte;
        writeFileSync(file, bad);
        try {
          const read = openSafetensors(file);
          for (const name of read.entries.keys()) read.read(name);
        } catch (error) {
          expect(error).toBeInstanceOf(SafetensorsError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("any file cut short is refused", () => {
    writeSafetensors(file, { weight: f32([2, 2], 1, 2, 3, 4) });
    const good = readFileSync(file);
    for (let length = 0; length < good.length; length++) {
      writeFileSync(file, good.subarray(0, length));
      expect(() => openSafetensors(file)).toThrow(SafetensorsError);
    }
  });
});

test("repeatedKey knows keys from values, and one object from another", () => {
  expect(repeatedKey('{"a":"a","b":["a","a",{"a":1}],"c":{"a":{"a":1}}}')).toBeUndefined();
  expect(repeatedKey('{"x":"{\\"a\\":1,\\"a\\":2}"}')).toBeUndefined();
  expect(repeatedKey('{"x":[{"y":{"k" : 1, "k" : 2}}]}')).toBe("k");
});
