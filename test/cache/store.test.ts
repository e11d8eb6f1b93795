import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openArtifact } from "../../src/cache/artifact-store.ts";
import type { Trace } from "../../src/cache/trace-store.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

async function takeIn(content: Readonly<Record<string, string>>, kind = "metrics") {
  const folder = store.layout.temporary();
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return store.artifacts.takeIn(folder, kind);
}

/** Path of the object that holds a file of an artifact. */
const objectOf = (digest: string, path: string) =>
  store.layout.object(store.artifacts.listing(digest)!.files.find((file) => file.path === path)!.digest);

function damage(path: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = readFileSync(path);
  chmodSync(path, 0o644);
  writeFileSync(path, change(bytes));
}

/** One bit of one byte in the second half. */
function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const at = flipped.length - 3;
  flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at);
  return flipped;
}

describe("an artifact in the store", () => {
  test("comes out with the bytes that went in, executable bits and empty folders included", async () => {
    const folder = store.layout.temporary();
    mkdirSync(join(folder, "empty"), { recursive: true });
    writeFileSync(join(folder, "run.sh"), "#!/bin/sh\n");
    chmodSync(join(folder, "run.sh"), 0o755);
    const { digest } = await store.artifacts.takeIn(folder, "file");
    const out = join(store.root, "out");
    await store.artifacts.copyOut(digest, out);
    expect(readFileSync(join(out, "run.sh"), "utf8")).toBe("#!/bin/sh\n");
    expect(statSync(join(out, "run.sh")).mode & 0o111).not.toBe(0);
    expect(readdirSync(join(out, "empty"))).toEqual([]);
  });

  test("has the same digest wherever and whenever it was made", async () => {
    const first = await takeIn({ "a.json": "1", "b/c.json": "2" });
    const second = await takeIn({ "b/c.json": "2", "a.json": "1" });
    expect(second.digest).toBe(first.digest);
  });

  test("is read in place: a stage gets paths of read-only blobs", async () => {
    const { digest } = await takeIn({ "a.json": "1" });
    const artifact = openArtifact(store.artifacts.locate({ kind: "metrics", digest }));
    expect(readFileSync(artifact.path("a.json"), "utf8")).toBe("1");
    expect(statSync(artifact.path("a.json")).mode & 0o222).toBe(0);
    expect(() => artifact.path("b.json")).toThrow(/no file "b.json"; it has a.json/);
  });

  test("leads to the artifacts it references", async () => {
    const base = await takeIn({ "images.bin": "pixels" }, "dataset");
    const view = await takeIn(
      { "references.json": `{"base":{"digest":"${base.digest}","kind":"dataset"}}\n` },
      "dataset",
    );
    const artifact = openArtifact(store.artifacts.locate(view));
    expect(readFileSync(artifact.references.base!.path("images.bin"), "utf8")).toBe("pixels");
  });

  test.each([
    ["one flipped bit", flip],
    ["truncation", (bytes: Buffer) => bytes.subarray(0, 3)],
    ["emptying", () => Buffer.alloc(0)],
    ["extension", (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("x")])],
  ])("is not served after %s: copying out throws and the blob goes to quarantine", async (_name, change) => {
    const { digest } = await takeIn({ "a.json": "0123456789" });
    const object = objectOf(digest, "a.json");
    damage(object, change);
    await expect(store.artifacts.copyOut(digest, join(store.root, "out"))).rejects.toThrow(/is damaged/);
    expect(existsSync(join(store.root, "out", "a.json"))).toBe(false);
    expect(existsSync(object)).toBe(false);
    expect(readdirSync(join(store.layout.root, "quarantine"))).toHaveLength(1);
  });

  test("is known to be damaged before anybody uses it, also through a reference", async () => {
    const base = await takeIn({ "images.bin": "pixels" }, "dataset");
    const view = await takeIn(
      { "references.json": `{"base":{"digest":"${base.digest}","kind":"dataset"}}\n` },
      "dataset",
    );
    expect(await store.artifacts.inspect(view.digest)).toBeUndefined();
    damage(objectOf(base.digest, "images.bin"), (bytes) => bytes.subarray(1));
    expect((await store.artifacts.inspect(view.digest))?.message).toMatch(/is damaged/);
  });

  test.each(["its listing", "references.json"])(
    "with %s damaged is said to be damaged, and missing where it is",
    async (what) => {
      const base = await takeIn({ "images.bin": "pixels" }, "dataset");
      const view = await takeIn(
        { "references.json": `{"base":{"digest":"${base.digest}","kind":"dataset"}}\n` },
        "dataset",
      );
      const object = what === "its listing" ? store.layout.object(view.digest) : objectOf(view.digest, what);
      const damageIt = () => damage(object, (bytes) => bytes.subarray(1));
      const whole = readFileSync(object);
      damageIt();
      expect(await store.artifacts.inspect(view.digest)).toMatchObject({ state: "damaged" });
      expect(readdirSync(join(store.layout.root, "quarantine"))).toHaveLength(1);
      writeFileSync(object, whole);
      expect(await store.artifacts.inspect(view.digest)).toBeUndefined();
      damageIt();
      expect(() => store.artifacts.locate(view)).toThrow(/is damaged/);
      rmSync(join(store.layout.root, "quarantine"), { recursive: true });
      expect(await store.artifacts.inspect(view.digest)).toMatchObject({ state: "missing" });
    },
  );

  test("is whole again once it was made again", async () => {
    const { digest } = await takeIn({ "a.json": "0123456789" });
    damage(objectOf(digest, "a.json"), (bytes) => bytes.subarray(1));
    await takeIn({ "a.json": "0123456789" });
    expect(await store.artifacts.inspect(digest)).toBeUndefined();
  });

  test("cannot be reached by an edit of its visible copy", async () => {
    const { digest } = await takeIn({ "a.json": "0123456789" });
    const out = join(store.root, "out");
    await store.artifacts.copyOut(digest, out);
    writeFileSync(join(out, "a.json"), "edited");
    expect(await store.artifacts.inspect(digest, true)).toBeUndefined();
  });
});

describe("a trace", () => {
  const trace = (madeAt: string): Trace => ({
    format: "tfpipe/trace/1",
    fingerprint: "f".repeat(64),
    manifest: {
      schema: "tfpipe/key/1",
      stageType: "x",
      code: "",
      packages: {},
      params: {},
      inputs: {},
      outputs: {},
      env: {},
    },
    code: { modules: {} },
    outputs: {},
    durationMs: 1,
    metrics: { accuracy: 0.5 },
    measurements: {},
    warnings: [],
    platformClass: "linux-x64-avx2",
    runId: "r",
    madeAt,
  });

  test("is found by its fingerprint, the newest first", () => {
    store.traces.add(trace("2026-01-01"));
    store.traces.add(trace("2026-01-02"));
    expect(store.traces.find("f".repeat(64)).map(({ madeAt }) => madeAt)).toEqual(["2026-01-02", "2026-01-01"]);
  });

  test("that was cut short, edited or renamed does not count", () => {
    store.traces.add(trace("2026-01-01"));
    const folder = store.layout.traces("f".repeat(64));
    const file = join(folder, readdirSync(folder)[0]!);
    const text = readFileSync(file, "utf8");
    for (const wrong of [text.slice(0, -5), text.replace("0.5", "0.9"), ""]) {
      writeFileSync(file, wrong);
      expect(store.traces.find("f".repeat(64))).toEqual([]);
    }
  });
});

describe("a checkpoint", () => {
  const save = (text: string) => {
    const folder = store.layout.temporary();
    mkdirSync(folder);
    writeFileSync(join(folder, "state"), text);
    return store.checkpoints.save("base", { epoch: 1 }, folder);
  };
  const read = async () => {
    const paths = await store.checkpoints.find("base", { epoch: 1 });
    return paths === undefined ? undefined : readFileSync(openArtifact(paths).path("state"), "utf8");
  };

  test("is found by an equal key, and the last one saved wins", async () => {
    await save("one");
    await save("two");
    expect(await read()).toBe("two");
    expect(await store.checkpoints.find("other", { epoch: 1 })).toBeUndefined();
    expect(await store.checkpoints.find("base", { epoch: 2 })).toBeUndefined();
  });

  test("that was damaged or dropped is not there", async () => {
    await save("one");
    const paths = await store.checkpoints.find("base", { epoch: 1 });
    damage(paths!.files[0]!.at, (bytes) => bytes.subarray(1));
    expect(await read()).toBeUndefined();
    await save("one");
    expect(await read()).toBe("one");
    store.checkpoints.drop("base", { epoch: 1 });
    expect(await read()).toBeUndefined();
  });

  test("whose listing is lost is not there", async () => {
    await save("one");
    rmSync(join(store.layout.root, "objects"), { recursive: true });
    expect(await read()).toBeUndefined();
  });
});
