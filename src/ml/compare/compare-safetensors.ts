/** Two safetensors files, tensor by tensor in the order of their names: what only one has, what has another form, what differs. */
import { openSafetensors, type Safetensors, type TensorEntry } from "../checkpoint/safetensors.ts";
import { TensorComparison, type TensorDifference } from "./tensor-comparison.ts";

export interface SafetensorsDifference {
  /** How many tensors both have. */
  readonly tensors: number;
  readonly differing: readonly TensorDifference[];
  /** Names that one of the files alone has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** Of another type or shape: `F32 [64, 3, 3, 3]`. */
  readonly reshaped: readonly { readonly tensor: string; readonly before: string; readonly after: string }[];
  /** Names of metadata whose value differs. */
  readonly metadata: readonly string[];
}

/** Whole elements of every type. */
const PIECE_BYTES = 1 << 26;

/** Throws `SafetensorsError` where one is no such file. */
export function compareSafetensors(before: string, after: string): SafetensorsDifference {
  const [a, b] = [openSafetensors(before), openSafetensors(after)];
  const names = [...new Set([...a.entries.keys(), ...b.entries.keys()])].sort();
  const differing: TensorDifference[] = [];
  const onlyBefore: string[] = [];
  const onlyAfter: string[] = [];
  const reshaped: SafetensorsDifference["reshaped"][number][] = [];
  let tensors = 0;
  for (const name of names) {
    const [old, now] = [a.entries.get(name), b.entries.get(name)];
    if (old === undefined || now === undefined) {
      (old === undefined ? onlyAfter : onlyBefore).push(name);
      continue;
    }
    tensors++;
    if (formOf(old) !== formOf(now)) reshaped.push({ tensor: name, before: formOf(old), after: formOf(now) });
    else {
      const difference = compareTensor(name, old, a, b);
      if (difference !== undefined) differing.push(difference);
    }
  }
  const keys = [...new Set([...Object.keys(a.metadata), ...Object.keys(b.metadata)])].sort();
  const metadata = keys.filter((key) => a.metadata[key] !== b.metadata[key]);
  return { tensors, differing, onlyBefore, onlyAfter, reshaped, metadata };
}

function compareTensor(
  name: string,
  { dtype, shape, begin, end }: TensorEntry,
  a: Safetensors,
  b: Safetensors,
): TensorDifference | undefined {
  const comparison = new TensorComparison(name, dtype, shape);
  const bytes = end - begin;
  const elementBytes = bytes / shape.reduce((product, size) => product * size, 1);
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, bytes - at);
    comparison.add(at / elementBytes, a.readBytes(name, at, length), b.readBytes(name, at, length));
  }
  return comparison.result();
}

const formOf = ({ dtype, shape }: TensorEntry): string => `${dtype} [${shape.join(", ")}]`;
