/**
 * Between PyTorch's layouts and an engine's: filters OIHW <-> HWIO, linear weights [out, in] <-> [in, out].
 *
 * PyTorch flattens an image as [c, h, w], engines as [h, w, c]: a linear layer behind a flattened image also has its
 * inputs reordered. Both directions are exact copies; one undoes the other. Float32 and Float64 arrays keep their type.
 */
import type { StateEntry } from "./state-entry.ts";

type FloatArray = Float32Array | Float64Array;

/** The shape of `entry` on an engine. */
export function engineShape({ shape, layout }: StateEntry): readonly number[] {
  switch (layout.type) {
    case "filter":
      return [shape[2]!, shape[3]!, shape[1]!, shape[0]!];
    case "matrix":
      return [shape[1]!, shape[0]!];
    case "vector":
      return shape;
  }
}

/** `data` of `entry` from PyTorch's layout to an engine's: a new array, except for vectors. */
export function toEngineLayout<Data extends FloatArray>(entry: StateEntry, data: Data): Data {
  return permute(entry, data, (to, from, engineIndex, torchIndex) => {
    to[engineIndex] = from[torchIndex]!;
  });
}

/** `data` of `entry` from an engine's layout to PyTorch's: a new array, except for vectors. */
export function toTorchLayout<Data extends FloatArray>(entry: StateEntry, data: Data): Data {
  return permute(entry, data, (to, from, engineIndex, torchIndex) => {
    to[torchIndex] = from[engineIndex]!;
  });
}

/** Both layouts are [rows, columns] and [columns', rows] with the columns reordered: O x (I H W) and (H W I) x O. */
function permute<Data extends FloatArray>(
  { shape, layout }: StateEntry,
  data: Data,
  copy: (to: Data, from: Data, engineIndex: number, torchIndex: number) => void,
): Data {
  if (layout.type === "vector") return data;
  const rows = shape[0]!;
  const columns = data.length / rows;
  const positions = layout.type === "filter" ? shape[2]! * shape[3]! : layout.positions;
  const channels = columns / positions;
  const out = new (data.constructor as new (length: number) => Data)(data.length);
  for (let position = 0; position < positions; position++)
    for (let channel = 0; channel < channels; channel++) {
      const engineStart = (position * channels + channel) * rows;
      const torchStart = channel * positions + position;
      for (let row = 0; row < rows; row++) copy(out, data, engineStart + row, row * columns + torchStart);
    }
  return out;
}
