/**
 * In what two artifacts of one kind differ, as plain data: what `verify` and `bisect` find, `--json` prints and `report`
 * puts into words. Tensors are told apart by the ml library; here is what it says of them.
 */
import type { JsonValue } from "../json.ts";

export interface ArtifactDifference {
  /** Name of the output. */
  readonly output: string;
  readonly kind: string;
  /** Of the folder's listing. */
  readonly before: string;
  readonly after: string;
  /** How many files either has. */
  readonly files: number;
  readonly differing: readonly FileDifference[];
  /** Why nothing more can be said: the bytes of one are gone. */
  readonly unknown?: string;
}

export type FileDifference =
  /** A folder without files ends in `/`. */
  | { readonly how: "missing" | "added"; readonly path: string }
  | ({ readonly how: "tensors"; readonly path: string } & TensorsDifference)
  | ({ readonly how: "values"; readonly path: string } & JsonDifference)
  | ({ readonly how: "bytes"; readonly path: string } & BytesDifference)
  /** A picture of data that differ, told where they do. */
  | { readonly how: "drawn"; readonly path: string; readonly from: string }
  /** Only one of them may be run as a program. */
  | { readonly how: "mode"; readonly path: string };

export interface TensorsDifference {
  /** How many tensors both files have. */
  readonly tensors: number;
  readonly differing: readonly TensorDifference[];
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** Of another type or shape: `F32 [64, 3, 3, 3]`. */
  readonly reshaped: readonly { readonly tensor: string; readonly before: string; readonly after: string }[];
  /** Names of metadata whose value differs. */
  readonly metadata: readonly string[];
}

export interface TensorDifference {
  readonly tensor: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly differing: number;
  /** What JSON cannot hold is its name: `NaN`, `Infinity`, `-0`, whole numbers beyond 2^53. */
  readonly first: {
    readonly index: readonly number[];
    readonly before: number | string;
    readonly after: number | string;
  };
  /** |before - after|, of elements that are finite in both. Absent where none of those differ. */
  readonly maxAbsolute?: number;
  /** |before - after| / max(|before|, |after|), of the same. */
  readonly maxRelative?: number;
  /** Units in the last place, of float types alone. */
  readonly maxUlp?: number;
  /** Elements that are NaN in one alone, and that are infinite in one alone or with another sign. */
  readonly nanChanges: number;
  readonly infinityChanges: number;
}

export interface JsonDifference {
  /** How many places differ. */
  readonly differing: number;
  /** The first of them, in the order of the document. */
  readonly first: readonly JsonChange[];
  /** Over all places where both are numbers. */
  readonly maxAbsolute?: number;
  /** |before - after| / max(|before|, |after|). */
  readonly maxRelative?: number;
}

export interface JsonChange {
  /** `epochs[3].validAccuracy`; empty where the whole is meant. */
  readonly path: string;
  /** Absent where only the other has it. */
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

export interface BytesDifference {
  /** From 0; where one file is the beginning of the other, its end. */
  readonly firstByte: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
}

/** Looks into files whose bytes differ. Paths are absolute. */
export interface ContentComparer {
  /** Undefined where one of them is no safetensors file. */
  tensors(before: string, after: string): Promise<TensorsDifference | undefined>;
  bytes(before: string, after: string): Promise<BytesDifference>;
}
