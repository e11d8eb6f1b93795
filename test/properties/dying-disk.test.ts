/** A killed process changes nothing any more, and of the change at which it dies as much as is asked for has happened. */
import { expect, test } from "vitest";
import { createDyingDisk, Killed } from "./dying-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";

function dieAt(atChange: number, torn: number) {
  const disk = new MemoryDisk();
  let deaths = 0;
  const dying = createDyingDisk(disk, { death: { atChange, torn, onDeath: () => deaths++ } });
  return { disk, ...dying, deaths: () => deaths };
}

test("before its time it is the disk, and from then on it refuses everything", async () => {
  const { disk, files, isDead, deaths, changes } = dieAt(3, 0);
  files.makeFolder("/a");
  files.writeNew("/a/one", "1");
  expect(files.readText("/a/one")).toBe("1");
  expect(isDead()).toBe(false);
  expect(() => files.rename("/a/one", "/a/two")).toThrow(Killed);
  expect([isDead(), deaths(), changes()]).toEqual([true, 1, 3]);
  expect(disk.list("/a")).toEqual(["one"]);
  expect(() => files.writeNew("/a/three", "3")).toThrow(Killed);
  expect(() => files.stat("/a/one")).toThrow(Killed);
  await expect(files.stream("/a/one", () => {})).rejects.toThrow(Killed);
  expect([disk.list("/a"), deaths()]).toEqual([["one"], 1]);
});

test("half of a write, a log entry, a copy and a removal of a folder has happened", () => {
  const write = dieAt(1, 0.5);
  expect(() => write.files.writeNew("/file", "12345678")).toThrow(Killed);
  expect(write.disk.readText("/file")).toBe("1234");

  const append = dieAt(2, 0.5);
  append.files.writeNew("/log", "one\n");
  expect(() => append.files.append("/log", "two\n")).toThrow(Killed);
  expect(append.disk.readText("/log")).toBe("one\ntw");

  const copy = dieAt(2, 0.5);
  copy.files.writeNew("/from", "1234");
  expect(() => copy.files.copy("/from", "/to")).toThrow(Killed);
  expect(copy.disk.readText("/to")).toBe("12");

  const remove = dieAt(4, 0.5);
  remove.files.makeFolder("/folder");
  remove.files.writeNew("/folder/a", "");
  remove.files.writeNew("/folder/b", "");
  expect(() => remove.files.remove("/folder")).toThrow(Killed);
  expect(remove.disk.list("/folder")).toEqual(["b"]);
});

test("what is refused does not happen by half", () => {
  const { disk, files } = dieAt(2, 0.5);
  files.writeNew("/file", "there");
  expect(() => files.writeNew("/file", "12345678")).toThrow(Killed);
  expect(disk.readText("/file")).toBe("there");
});
