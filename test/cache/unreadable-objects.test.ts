import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestBytes } from "../../src/identity/digest.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
let unreadable: string | undefined;
let unwritable: string | undefined;
const fail = (path: string): void => {
  if (path === unreadable || path === unwritable)
    throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
};
beforeEach(() => {
  unreadable = undefined;
  unwritable = undefined;
  store = openTemporaryStore({
    ...nodeFileSystem,
    read(path) {
      fail(path);
      return nodeFileSystem.read(path);
    },
    async stream(path, onPiece) {
      fail(path);
      await nodeFileSystem.stream(path, onPiece);
    },
    copy(from, to) {
      if (from === unreadable) writeFileSync(to, "a part");
      fail(from);
      fail(to);
      nodeFileSystem.copy(from, to);
    },
  });
});
afterEach(() => store.remove());

function putUnreadable(): string {
  const digest = store.objects.put("some text");
  unreadable = store.layout.object(digest);
  return digest;
}

test("an object that the disk cannot read is damaged, and is out of the way afterwards", async () => {
  expect(await store.objects.inspect(putUnreadable(), 9, true)).toBe("damaged");
  unreadable = undefined;
  expect(existsSync(store.layout.object(digestBytes("some text")))).toBe(false);
  // In quarantine is not missing, whoever put it there.
  expect(await store.objects.inspect(digestBytes("some text"), 9)).toBe("damaged");
  expect(await store.objects.inspect(digestBytes("other text"), 10)).toBe("missing");
  expect(store.objects.read(putUnreadable())).toBeUndefined();
  expect(existsSync(unreadable ?? "")).toBe(false);
});

test("a copy that the disk broke off leaves no part of it", async () => {
  const to = join(store.root, "copy");
  await expect(store.objects.copyOut(putUnreadable(), 9, to, false)).rejects.toMatchObject({ state: "damaged" });
  expect(existsSync(to)).toBe(false);
});

test("a copy that cannot be written does not make a sound object damaged", async () => {
  const digest = store.objects.put("some text");
  const to = join(store.root, "copy");
  unwritable = to;
  await expect(store.objects.copyOut(digest, 9, to, false)).rejects.toMatchObject({ code: "EIO" });
  expect(existsSync(to)).toBe(false);
  expect(await store.objects.inspect(digest, 9, true)).toBe("sound");
});

test("what an open writer changes before the file is sealed is in the digest, and a file that still grows is refused", async () => {
  let change = (path: string) => writeFileSync(path, "the other");
  const late = openTemporaryStore({
    ...nodeFileSystem,
    setMode(path, mode) {
      if (path.endsWith("data.txt")) change(path);
      nodeFileSystem.setMode(path, mode);
    },
  });
  const folder = late.layout.temporary();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "data.txt"), "the start");
  const { digest } = await late.artifacts.takeIn(folder, "metrics");
  const file = late.artifacts.listing(digest)?.files[0];
  expect(file?.digest).toBe(digestBytes("the other"));
  expect(readFileSync(late.layout.object(file?.digest ?? ""), "utf8")).toBe("the other");
  change = (path) => appendFileSync(path, " and the end");
  mkdirSync(`${folder}-2`);
  writeFileSync(join(`${folder}-2`, "data.txt"), "the start");
  await expect(late.artifacts.takeIn(`${folder}-2`, "metrics")).rejects.toThrow("still being written");
  late.remove();
});
