/**
 * Two tensors of one type and shape, element by element and bit by bit: which element differs first, and by how much they
 * differ at most. Pieces come in order, so tensors of any size are compared in little memory.
 *
 * Elements differ where their bits do: 0 and -0 differ (by 0 ULP), and so do two NaNs of another payload.
 */
import type { SafetensorsDType } from "../checkpoint/safetensors.ts";
import { type Bits, createBitsReader, isFloat, ulpDistance } from "./number-bits.ts";

/** What JSON cannot hold is its name: `NaN`, `Infinity`, `-0`, whole numbers beyond 2^53. */
export type TensorValue = number | string;

export interface TensorDifference {
  readonly tensor: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly differing: number;
  readonly first: { readonly index: readonly number[]; readonly before: TensorValue; readonly after: TensorValue };
  /** |before - after|, of elements that are finite in both. Absent where none of those differ. */
  readonly maxAbsolute?: number;
  /** |before - after| / max(|before|, |after|), of the same. */
  readonly maxRelative?: number;
  /** Of the same, of float types alone. */
  readonly maxUlp?: number;
  /** Elements that are NaN in one alone, and that are infinite in one alone or with another sign. */
  readonly nanChanges: number;
  readonly infinityChanges: number;
}

export class TensorComparison {
  readonly #tensor: { readonly name: string; readonly dtype: SafetensorsDType; readonly shape: readonly number[] };
  readonly #valueOf: (bits: Bits) => number | bigint;
  #differing = 0;
  #first: { readonly at: number; readonly before: Bits; readonly after: Bits } | undefined;
  #finite = 0;
  #maxAbsolute = 0;
  #maxRelative = 0;
  #maxUlp = 0;
  #nanChanges = 0;
  #infinityChanges = 0;

  constructor(name: string, dtype: SafetensorsDType, shape: readonly number[]) {
    this.#tensor = { name, dtype, shape };
    this.#valueOf = createBitsReader(dtype);
  }

  /** Whole elements of both from element `begin` on, equally many. */
  add(begin: number, before: Uint8Array, after: Uint8Array): void {
    if (before.length !== after.length) throw new Error(`${before.length} bytes compared with ${after.length}`);
    if (Buffer.compare(before, after) === 0) return;
    const [a, b] = [bitsOf(this.#tensor.dtype, before), bitsOf(this.#tensor.dtype, after)];
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) this.#note(begin + i, a[i]!, b[i]!);
  }

  /** Undefined where nothing differs. */
  result(): TensorDifference | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    const { name, dtype, shape } = this.#tensor;
    return {
      tensor: name,
      dtype,
      shape,
      elements: shape.reduce((product, size) => product * size, 1),
      differing: this.#differing,
      first: {
        index: indexOf(first.at, shape),
        before: showable(this.#valueOf(first.before)),
        after: showable(this.#valueOf(first.after)),
      },
      ...(this.#finite > 0 && { maxAbsolute: this.#maxAbsolute, maxRelative: this.#maxRelative }),
      ...(this.#finite > 0 && isFloat(dtype) && { maxUlp: this.#maxUlp }),
      nanChanges: this.#nanChanges,
      infinityChanges: this.#infinityChanges,
    };
  }

  #note(at: number, before: Bits, after: Bits): void {
    const { dtype } = this.#tensor;
    this.#differing++;
    this.#first ??= { at, before, after };
    const [a, b] = [this.#valueOf(before), this.#valueOf(after)];
    if (typeof a === "bigint" || typeof b === "bigint") {
      const distance = Number(BigInt(a) - BigInt(b));
      this.#noteDistance(Math.abs(distance), Math.max(Math.abs(Number(a)), Math.abs(Number(b))));
      return;
    }
    if (Number.isNaN(a) || Number.isNaN(b)) {
      if (Number.isNaN(a) !== Number.isNaN(b)) this.#nanChanges++;
      return;
    }
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      this.#infinityChanges++;
      return;
    }
    if (isFloat(dtype)) this.#maxUlp = Math.max(this.#maxUlp, ulpDistance(dtype, before, after));
    this.#noteDistance(Math.abs(a - b), Math.max(Math.abs(a), Math.abs(b)));
  }

  #noteDistance(absolute: number, larger: number): void {
    this.#finite++;
    this.#maxAbsolute = Math.max(this.#maxAbsolute, absolute);
    if (larger > 0) this.#maxRelative = Math.max(this.#maxRelative, absolute / larger);
  }
}

/** Little-endian, as the format has it. */
function bitsOf(dtype: SafetensorsDType, bytes: Uint8Array): Int32Array | BigInt64Array | Uint16Array | Uint8Array {
  // A view needs its start on a whole element.
  const { buffer, byteOffset, length } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  switch (dtype) {
    case "F64":
    case "I64":
      return new BigInt64Array(buffer, byteOffset, length / 8);
    case "F32":
    case "I32":
      return new Int32Array(buffer, byteOffset, length / 4);
    case "F16":
    case "BF16":
      return new Uint16Array(buffer, byteOffset, length / 2);
    case "U8":
    case "BOOL":
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** Of a flat position the index in each dimension; none of a scalar. */
function indexOf(position: number, shape: readonly number[]): readonly number[] {
  const index: number[] = [];
  let rest = position;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

function showable(value: number | bigint): TensorValue {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return Object.is(value, -0) ? "-0" : Number.isFinite(value) ? value : String(value);
}
