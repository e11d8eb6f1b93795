/**
 * One array in NumPy's NPY format (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): a magic text, a header
 * that is a Python dict, then the elements in C order. Read piece by piece. Bytes stay bytes, every other element becomes a JavaScript number.
 */
import { type ByteReader, createByteReader } from "./byte-reader.ts";
import { DataError } from "./data-error.ts";
import type { FileTree } from "./file-tree.ts";

export interface NpyHeader {
  readonly shape: readonly number[];
  /** As NumPy writes it: `|u1`, `<f4`. */
  readonly dtype: string;
  readonly floating: boolean;
}

export interface NpyArray extends NpyHeader {
  /** The next `count` elements. Throws `DataError` where there are fewer. */
  take(count: number): Promise<Float64Array | Uint8Array>;
}

/** Where an array lies. `name` is what it is called in messages. */
export interface NpyPlace {
  readonly tree: FileTree;
  readonly path: string;
  readonly name: string;
}

/** Hands the array to `use`, which takes all elements or none. Throws `DataError` naming file, byte and what was expected. */
export function readNpy<T>({ tree, path, name }: NpyPlace, use: (array: NpyArray) => Promise<T>): Promise<T> {
  const refuse = (problem: string, help?: string): never => {
    throw new DataError(`${name} is no NPY array that can be read: ${problem}`, help);
  };
  return tree.stream(path, async (pieces) => {
    const reader = createByteReader(pieces);
    const header = await readHeader(reader, refuse);
    const { bytes: elementBytes, read } = elementsOf(header.dtype, refuse);
    const dataStart = reader.position();
    const announced = header.shape.reduce((product, size) => product * size, 1);
    let taken = 0;
    const used = await use({
      ...header,
      async take(count) {
        const wanted = count * elementBytes;
        const bytes = await reader.take(wanted);
        if (bytes.length < wanted)
          refuse(
            `it ends at byte ${reader.position()}, but shape (${header.shape.join(", ")}) of ${header.dtype} goes to byte ${dataStart + announced * elementBytes}`,
            "it is cut off: write or copy it again",
          );
        taken += count;
        if (elementBytes === 1 && header.dtype !== "|i1") return bytes;
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const values = new Float64Array(count);
        for (let i = 0; i < count; i++) values[i] = read(view, i * elementBytes);
        return values;
      },
    });
    if (taken === announced && (await reader.take(1)).length > 0)
      refuse(`after the last element, at byte ${reader.position() - 1}, there is more`);
    return used;
  });
}

type Refuse = (problem: string, help?: string) => never;

/** A header larger than this is no image's. */
const MAX_HEADER_BYTES = 2 ** 20;

async function readHeader(reader: ByteReader, refuse: Refuse): Promise<NpyHeader> {
  const magic = await reader.take(8);
  if (magic.length < 8 || magic.toString("latin1", 0, 6) !== "\x93NUMPY")
    return refuse(`it does not begin as one does (byte 0: ${magic.toString("hex", 0, 6) || "the end"})`);
  const version = magic[6]!;
  if (version < 1 || version > 3) return refuse(`it is of version ${version} (byte 6), and 1 to 3 are known`);
  const lengthBytes = await reader.take(version === 1 ? 2 : 4);
  if (lengthBytes.length < (version === 1 ? 2 : 4))
    return refuse(`it ends at byte ${reader.position()}, in its header`);
  const length = version === 1 ? lengthBytes.readUInt16LE(0) : lengthBytes.readUInt32LE(0);
  if (length > MAX_HEADER_BYTES) return refuse(`its header claims ${length} bytes (byte 8)`);
  const headerBytes = await reader.take(length);
  if (headerBytes.length < length) return refuse(`it ends at byte ${reader.position()}, in its header`);
  const text = headerBytes.toString("latin1");
  const dtype = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  if (dtype === undefined && /'descr':\s*\[/.test(text))
    return refuse("it is an array of records", "save one plain array for the images and one for the labels");
  if (dtype === undefined || shape === undefined || order === undefined)
    return refuse(`its header does not say descr, shape and fortran_order: ${text.trim().slice(0, 200)}`);
  const sizes = shape
    .split(",")
    .map((size) => size.trim().replace(/L$/, ""))
    .filter((size) => size !== "")
    .map(Number);
  if (order === "True" && sizes.length > 1)
    return refuse("its elements are in Fortran's order", "save it with `np.save(file, np.ascontiguousarray(array))`");
  return { dtype, shape: sizes, floating: /^[<>=|]f/.test(dtype) };
}

interface Elements {
  readonly bytes: number;
  read(view: DataView, at: number): number;
}

function elementsOf(dtype: string, refuse: Refuse): Elements {
  const little = !dtype.startsWith(">");
  switch (dtype.slice(1)) {
    case "b1":
    case "u1":
      return { bytes: 1, read: (view, at) => view.getUint8(at) };
    case "i1":
      return { bytes: 1, read: (view, at) => view.getInt8(at) };
    case "u2":
      return { bytes: 2, read: (view, at) => view.getUint16(at, little) };
    case "i2":
      return { bytes: 2, read: (view, at) => view.getInt16(at, little) };
    case "u4":
      return { bytes: 4, read: (view, at) => view.getUint32(at, little) };
    case "i4":
      return { bytes: 4, read: (view, at) => view.getInt32(at, little) };
    case "u8":
      return { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, little)) };
    case "i8":
      return { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, little)) };
    case "f2":
      return { bytes: 2, read: (view, at) => halfToNumber(view.getUint16(at, little)) };
    case "f4":
      return { bytes: 4, read: (view, at) => view.getFloat32(at, little) };
    case "f8":
      return { bytes: 8, read: (view, at) => view.getFloat64(at, little) };
  }
  if (dtype.endsWith("O"))
    return refuse("it holds Python objects", "save numbers: `np.save(file, array.astype(np.uint8))`");
  if (/^[<>|=][US]/.test(dtype))
    return refuse("it holds texts", "save labels as numbers from 0, and list their names in `classNames`");
  return refuse(`its elements are ${dtype}`, "save whole numbers or floating-point numbers");
}

/** IEEE 754 half precision. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // Powers of two are exact.
  return exponent === 0 ? (sign * fraction) / 2 ** 24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
