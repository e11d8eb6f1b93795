/** Checkpoints in a real store: whole ones among the objects, passing ones as files of their own. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ownCheckpoints } from "../../src/cache/checkpoint-store.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

function staged(files: Readonly<Record<string, string>>): string {
  const folder = store.layout.temporary();
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
const save = (key: number, files: Readonly<Record<string, string>>, passing?: boolean) =>
  store.checkpoints.save("base", key, staged(files), passing);
async function read(key: number, file = "model"): Promise<string | undefined> {
  const found = await store.checkpoints.find("base", key);
  const at = found?.files.find(({ path }) => path === file)?.at;
  return at === undefined ? undefined : readFileSync(at, "utf8");
}
const partials = () => readdirSync(join(store.layout.root, "partial"));
const objects = () => {
  const root = join(store.layout.root, "objects");
  return readdirSync(root).flatMap((shard) => readdirSync(join(root, shard)));
};

test("what is saved is found by its key alone, and the last save of a key wins", async () => {
  await save(1, { model: "one" });
  await save(2, { model: "two" });
  await save(2, { model: "three" });
  expect([await read(1), await read(2), await read(3)]).toEqual(["one", "three", undefined]);
  expect(await store.checkpoints.find("other", 1)).toBeUndefined();
  store.checkpoints.drop("base", 1);
  expect(await read(1)).toBeUndefined();
});

test("equal files of several checkpoints, and of artifacts, are stored once", async () => {
  await save(1, { model: "weights", optimizer: "slots 1" });
  await save(2, { model: "weights", optimizer: "slots 2" });
  await store.artifacts.takeIn(staged({ "model.safetensors": "weights" }), "model");
  // Three different files and three listings.
  expect(objects()).toHaveLength(6);
});

test("a passing one leaves no object, replaces the one before with its bytes, and goes without a trace", async () => {
  await save(1, { model: "a" }, true);
  const [first] = partials();
  await save(1, { model: "b" }, true);
  expect(partials()).toHaveLength(1);
  expect(partials()[0]).not.toBe(first);
  expect(await read(1)).toBe("b");
  expect(objects()).toEqual([]);
  store.checkpoints.drop("base", 1);
  expect(partials()).toEqual([]);
  expect(await read(1)).toBeUndefined();
});

test("a passing one that was damaged is not used, and what killed saves left of it is", async () => {
  await save(1, { model: "good" }, true);
  const [name] = partials();
  const [key, , digest] = name!.split("-");
  const newer = join(store.layout.root, "partial", `${key}-2-${digest}`);
  mkdirSync(newer);
  writeFileSync(join(newer, "model"), "bad!");
  const told: string[] = [];
  const found = await store.checkpoints.find("base", 1, (message) => told.push(message));
  expect(readFileSync(found!.files[0]!.at, "utf8")).toBe("good");
  expect(told).toEqual([`a checkpoint cannot be used: ${key}-2-${digest} in the store is damaged`]);
  await save(1, { model: "next" }, true);
  expect(partials()).toHaveLength(1);
  expect(await read(1)).toBe("next");
});

test("a damaged one is told and not found; only a look does not read it", async () => {
  await save(1, { model: "weights" });
  const [file] = (await store.checkpoints.find("base", 1))!.files;
  chmodSync(file!.at, 0o644);
  writeFileSync(file!.at, "weighed");
  expect((await store.checkpoints.peek("base", 1))?.files.map(({ path }) => path)).toEqual(["model"]);
  const told: string[] = [];
  expect(await store.checkpoints.find("base", 1, (message) => told.push(message))).toBeUndefined();
  expect(told).toEqual([expect.stringMatching(/^a checkpoint cannot be used: object .* is damaged$/)]);
});

test("what belongs to a base is listed, with what is kept of it", async () => {
  await save(1, { model: "one" });
  await save(2, { model: "three" });
  await store.checkpoints.save("other", 1, staged({ model: "x" }));
  store.checkpoints.mark("base", 1, "expendable");
  store.checkpoints.mark("base", 9, "expendable");
  const listed = store.checkpoints.list("base").map(({ sizeBytes, kept }) => ({ sizeBytes, kept }));
  expect(listed.sort((a, b) => a.sizeBytes - b.sizeBytes)).toEqual([
    { sizeBytes: 3, kept: false },
    { sizeBytes: 5, kept: true },
  ]);
  store.checkpoints.mark("base", 1, "kept");
  expect(store.checkpoints.list("base").every(({ kept }) => kept)).toBe(true);
});

test("an execution that begins at the beginning finds what it saved itself, and leaves the rest to others", async () => {
  await save(1, { model: "earlier" });
  await save(2, { model: "earlier" });
  const own = new Set<string>();
  const anew = ownCheckpoints(store.checkpoints, own);
  expect(await anew.find("base", 1)).toBeUndefined();
  expect(await anew.peek("base", 1)).toBeUndefined();
  await anew.save("base", 1, staged({ model: "again" }));
  expect((await anew.find("base", 1))?.files.map(({ path }) => path)).toEqual(["model"]);
  expect(await anew.find("base", 2)).toBeUndefined();
  // Another attempt at the same execution goes on.
  expect(await ownCheckpoints(store.checkpoints, own).find("base", 1)).toBeDefined();
  expect([await read(1), await read(2)]).toEqual(["again", "earlier"]);
});
