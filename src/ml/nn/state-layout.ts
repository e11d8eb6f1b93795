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
  return transpose(entry, data, true);
}

/** `data` of `entry` from an engine's layout to PyTorch's: a new array, except for vectors. */
export function toTorchLayout<Data extends FloatArray>(entry: StateEntry, data: Data): Data {
  return transpose(entry, data, false);
}

/** How many rows are walked side by side: a cache line of each stays in the first-level cache. */
const TILE_ROWS = 64;

/**
 * PyTorch has rows of channels x positions, engines the transpose with its columns in the order positions x channels:
 * O x (I H W) and (H W I) x O. In tiles, since VGG has a matrix of 10^8 elements.
 */
function transpose<Data extends FloatArray>({ shape, layout }: StateEntry, data: Data, toEngine: boolean): Data {
  if (layout.type === "vector") return data;
  const rows = shape[0]!;
  const columns = data.length / rows;
  const positions = layout.type === "filter" ? shape[2]! * shape[3]! : layout.positions;
  const channels = columns / positions;
  const out = new (data.constructor as new (length: number) => Data)(data.length);
  for (let tile = 0; tile < rows; tile += TILE_ROWS) {
    const end = Math.min(tile + TILE_ROWS, rows);
    for (let channel = 0, column = 0; channel < channels; channel++)
      for (let position = 0; position < positions; position++, column++) {
        const engineStart = (position * channels + channel) * rows;
        if (toEngine) for (let row = tile; row < end; row++) out[engineStart + row] = data[row * columns + column]!;
        else for (let row = tile; row < end; row++) out[row * columns + column] = data[engineStart + row]!;
      }
  }
  return out;
}
