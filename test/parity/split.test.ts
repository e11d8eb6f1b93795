import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { splitIndices } from "../../src/ml/data/split-indices.ts";
import reference from "./reference/split.json" with { type: "json" };

const sha256 = (indices: Int32Array) =>
  createHash("sha256")
    .update(new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength))
    .digest("hex");

describe("splits against NumPy", () => {
  it.each(reference)("deals $count images with seed $seed as np.random.shuffle does", (expected) => {
    const fractions = { train: 1 - expected.valid_size, valid: expected.valid_size };
    const splits = splitIndices(fractions, expected.count, { shuffle: "numpy", seed: expected.seed });
    const valid = splits.get("valid")!;
    const train = splits.get("train")!;
    expect([...valid.subarray(0, 8)]).toEqual(expected.valid_first);
    expect([...train.subarray(0, 8)]).toEqual(expected.train_first);
    expect(sha256(valid)).toBe(expected.valid_sha256);
    expect(sha256(train)).toBe(expected.train_sha256);
  });
});
