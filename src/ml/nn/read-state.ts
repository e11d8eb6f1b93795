/**
 * A state dict from anywhere, checked against what a model holds: all that is wrong is said at once, in names and
 * shapes, before a weight is touched.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { StateEntry } from "./state-entry.ts";

export interface StateMismatch {
  readonly missing: readonly StateEntry[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly { readonly entry: StateEntry; readonly found: readonly number[] }[];
  /** Of a type that holds no weights (integers). */
  readonly mistyped: readonly { readonly entry: StateEntry; readonly found: string }[];
}

/** A state dict does not fit the model. */
export class StateDictError extends Error {
  readonly mismatch: StateMismatch;
  constructor(mismatch: StateMismatch) {
    super(`the weights do not fit the model: ${describeMismatch(mismatch).join("; ")}`);
    this.name = "StateDictError";
    this.mismatch = mismatch;
  }
}

/** What a state dict of these shapes and types would lack or have too much of; undefined if it fits. */
export function compareState(
  entries: readonly StateEntry[],
  state: Iterable<readonly [name: string, tensor: Pick<StoredTensor, "dtype" | "shape">]>,
): StateMismatch | undefined {
  const found = new Map(state);
  const expected = new Set(entries.map((entry) => entry.name));
  const present = entries.flatMap((entry) => {
    const tensor = found.get(entry.name);
    return tensor === undefined ? [] : [{ entry, tensor }];
  });
  const mismatch: StateMismatch = {
    missing: entries.filter((entry) => !found.has(entry.name)),
    // PyTorch counts batches for a momentum of None, which no model here has.
    unexpected: [...found.keys()].filter((name) => !expected.has(name) && !name.endsWith(".num_batches_tracked")),
    misshapen: present.flatMap(({ entry, tensor }) =>
      sameShape(entry.shape, tensor.shape) ? [] : [{ entry, found: tensor.shape }],
    ),
    mistyped: present.flatMap(({ entry, tensor }) =>
      ["F32", "F64", "F16", "BF16"].includes(tensor.dtype) ? [] : [{ entry, found: tensor.dtype }],
    ),
  };
  return Object.values(mismatch).some((list) => list.length > 0) ? mismatch : undefined;
}

/** Reads entries of `state` as float32 after checking all of it. Throws `StateDictError`. */
export function readState(
  entries: readonly StateEntry[],
  state: Readonly<Record<string, StoredTensor>>,
): (entry: StateEntry) => Float32Array {
  const mismatch = compareState(entries, Object.entries(state));
  if (mismatch !== undefined) throw new StateDictError(mismatch);
  return (entry) => asFloat32(state[entry.name]!);
}

/** The values of a stored tensor as float32. Half types widen exactly, doubles round to nearest. */
export function asFloat32({ dtype, data }: StoredTensor): Float32Array {
  switch (dtype) {
    case "F32":
      return data as Float32Array;
    case "F64":
      return Float32Array.from(data as Float64Array);
    case "BF16":
      return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
    case "F16":
      return Float32Array.from(data as Uint16Array, fromFloat16);
    default:
      throw new Error(`a tensor of type ${dtype} holds no weights`);
  }
}

/** IEEE 754 binary16. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** One clause per kind of mismatch, the first few names of each. */
export function describeMismatch({ missing, unexpected, misshapen, mistyped }: StateMismatch): string[] {
  const clauses: string[] = [];
  if (missing.length > 0) clauses.push(`missing ${someOf(missing.map((entry) => entry.name))}`);
  if (unexpected.length > 0) clauses.push(`unexpected ${someOf(unexpected)}`);
  if (misshapen.length > 0)
    clauses.push(
      `wrong shape of ${someOf(misshapen.map(({ entry, found }) => `${entry.name} (expected [${entry.shape}], got [${found}])`))}`,
    );
  if (mistyped.length > 0)
    clauses.push(`wrong type of ${someOf(mistyped.map(({ entry, found }) => `${entry.name} (${found})`))}`);
  return clauses;
}

function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 6).join(", ");
  return names.length > 6 ? `${shown} and ${names.length - 6} more` : shown;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
