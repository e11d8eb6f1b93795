/** Two artifacts in a store: each file told apart in the way of its form. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ArtifactDifference } from "../../src/cache/artifact-difference.ts";
import { compareArtifacts } from "../../src/cache/compare-artifacts.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import { writeSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { openTemporaryStore } from "../temporary-store.ts";

type Content = string | Uint8Array | ((path: string) => void);
type Folder = Readonly<Record<string, Content>>;

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

async function keep(content: Folder) {
  const folder = store.layout.temporary();
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of Object.entries(content)) {
    const path = join(folder, name);
    mkdirSync(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (typeof value === "function") value(path);
    else if (!name.endsWith("/")) writeFileSync(path, value);
  }
  const { digest } = await store.artifacts.takeIn(folder, "any");
  return { digest, listing: store.artifacts.listing(digest)!, at: store.layout.object };
}

async function compare(before: Folder, after: Folder): Promise<ArtifactDifference | undefined> {
  const parts = { files: store.files, comparer: createContentComparer() };
  return compareArtifacts(parts, { output: "out", kind: "any" }, await keep(before), await keep(after));
}

const tensors =
  (values: Readonly<Record<string, readonly number[]>>, metadata: Readonly<Record<string, string>> = {}): Content =>
  (path) =>
    writeSafetensors(
      path,
      Object.fromEntries(
        Object.entries(values).map(([name, numbers]) => [
          name,
          { dtype: "F32", shape: [numbers.length], data: Float32Array.from(numbers) } as const,
        ]),
      ),
      metadata,
    );

describe("two artifacts", () => {
  test("that are equal have no difference", async () => {
    expect(await compare({ "a.txt": "1" }, { "a.txt": "1" })).toBeUndefined();
  });

  test("are told apart by tensors", async () => {
    const found = await compare(
      { "m.safetensors": tensors({ a: [1], b: [1, 2], c: [1, 2], old: [0] }, { format: "pt" }) },
      { "m.safetensors": tensors({ a: [1], b: [1, 3], c: [1], now: [0] }, { format: "np" }) },
    );
    expect(found).toMatchObject({ output: "out", kind: "any", files: 1 });
    expect(found!.differing).toEqual([
      {
        how: "tensors",
        path: "m.safetensors",
        tensors: 3,
        differing: [expect.objectContaining({ tensor: "b", differing: 1, first: { index: [1], before: 2, after: 3 } })],
        onlyBefore: ["old"],
        onlyAfter: ["now"],
        reshaped: [{ tensor: "c", before: "F32 [2]", after: "F32 [1]" }],
        metadata: ["format"],
      },
    ]);
  });

  test("are told apart by places of JSON, and by bytes where the JSON is equal or none", async () => {
    const found = await compare(
      { "a.json": '{"x":1}', "b.json": '{"x":1}', "c.json": "{", "d.safetensors": "none" },
      { "a.json": '{"x":2}', "b.json": '{"x": 1}', "c.json": "{}", "d.safetensors": "nono" },
    );
    expect(found!.differing).toEqual([
      {
        how: "values",
        path: "a.json",
        differing: 1,
        first: [{ path: "x", before: 1, after: 2 }],
        maxAbsolute: 1,
        maxRelative: 0.5,
      },
      { how: "bytes", path: "b.json", firstByte: 5, beforeBytes: 7, afterBytes: 8 },
      { how: "bytes", path: "c.json", firstByte: 1, beforeBytes: 1, afterBytes: 2 },
      { how: "bytes", path: "d.safetensors", firstByte: 3, beforeBytes: 4, afterBytes: 4 },
    ]);
  });

  test("that hold charts are told apart by the data, and what is drawn from them comes last", async () => {
    const chart = (value: number, drawn: string): Folder => ({
      "loss.data.json": JSON.stringify([value]),
      "loss.pdf": drawn,
      "loss.svg": drawn,
      "other.data.json": "[1]",
      "other.svg": drawn,
    });
    expect((await compare(chart(1, "a"), chart(2, "b")))!.differing.map(({ how, path }) => [how, path])).toEqual([
      ["values", "loss.data.json"],
      ["bytes", "other.svg"],
      ["drawn", "loss.pdf"],
      ["drawn", "loss.svg"],
    ]);
  });

  test("differ by files and folders that one alone has", async () => {
    const found = await compare({ "a.txt": "", "gone/b": "1", "empty/": "" }, { "a.txt": "", c: "1" });
    expect(found!.differing).toEqual([
      { how: "added", path: "c" },
      { how: "missing", path: "gone/b" },
      { how: "missing", path: "empty/" },
    ]);
  });

  test("part at a byte far behind the first piece that is read", async () => {
    const before = new Uint8Array(3_000_000);
    const after = before.slice();
    after[2_500_001] = 1;
    expect((await compare({ f: before }, { f: after }))!.differing).toEqual([
      { how: "bytes", path: "f", firstByte: 2_500_001, beforeBytes: 3_000_000, afterBytes: 3_000_000 },
    ]);
    expect((await compare({ f: before }, { f: before.subarray(0, 2_000_000) }))!.differing).toEqual([
      { how: "bytes", path: "f", firstByte: 2_000_000, beforeBytes: 3_000_000, afterBytes: 2_000_000 },
    ]);
  });
});
