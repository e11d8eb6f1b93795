import { readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLocks, type LockHolder } from "../../src/cache/locks.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
let alive: Map<number, string>;
beforeEach(() => {
  store = openTemporaryStore();
  alive = new Map([
    [1, "one"],
    [2, "two"],
  ]);
});
afterEach(() => store.remove());

const locksOf = (self: LockHolder) =>
  createLocks({
    files: store.files,
    layout: store.layout,
    self,
    identify: (pid) => alive.get(pid),
    every: () => () => {},
  });
const first = () => locksOf({ pid: 1, identity: "one", host: "here" });
const second = () => locksOf({ pid: 2, identity: "two", host: "here" });
const acquire = (locks: ReturnType<typeof createLocks>) => locks.tryAcquire("f");

describe("the lock of a fingerprint", () => {
  test("is held by one process at a time, and the other learns by whom", () => {
    const held = acquire(first());
    expect(acquire(second())).toEqual({ holder: { pid: 1, identity: "one", host: "here" } });
    if ("release" in held) held.release();
    expect(acquire(second())).toHaveProperty("release");
  });

  test("falls at once when its holder died, and when its number now belongs to another process", () => {
    acquire(first());
    alive.set(1, "another");
    expect(acquire(second())).toHaveProperty("release");
    alive.delete(2);
    alive.set(1, "one");
    expect(acquire(first())).toHaveProperty("release");
  });

  test("of another host falls only after a minute without a heartbeat", () => {
    acquire(locksOf({ pid: 9, identity: "", host: "elsewhere" }));
    expect(acquire(first())).toHaveProperty("holder");
    const longAgo = Date.now() / 1000 - 120;
    utimesSync(store.layout.lock("f"), longAgo, longAgo);
    expect(acquire(first())).toHaveProperty("release");
  });

  test("that was cut short while it was written falls by itself", () => {
    writeFileSync(store.layout.lock("f"), '{"pid":');
    const before = Date.now() / 1000 - 5;
    utimesSync(store.layout.lock("f"), before, before);
    expect(acquire(first())).toHaveProperty("release");
  });

  test("is not released by a process that lost it", () => {
    const lost = acquire(first());
    alive.delete(1);
    acquire(second());
    if ("release" in lost) lost.release();
    alive.set(1, "one");
    expect(acquire(first())).toEqual({ holder: { pid: 2, identity: "two", host: "here" } });
  });

  test.each(['{"pid":', "null", "{}"])("that reads %s falls also when its time lies in the future", (text) => {
    writeFileSync(store.layout.lock("f"), text);
    const later = Date.now() / 1000 + 3_600;
    utimesSync(store.layout.lock("f"), later, later);
    expect(acquire(first())).toHaveProperty("release");
  });

  test("stays with a new holder who took a dead one's between another's look and its move", () => {
    acquire(locksOf({ pid: 7, identity: "dead", host: "here" }));
    const path = store.layout.lock("f");
    let moves = 0;
    const late = createLocks({
      files: {
        ...store.files,
        rename(from, to) {
          moves += 1;
          if (moves === 1) {
            rmSync(path);
            acquire(first());
          }
          store.files.rename(from, to);
        },
      },
      layout: store.layout,
      self: { pid: 2, identity: "two", host: "here" },
      identify: (pid) => alive.get(pid),
      every: () => () => {},
    });
    expect(acquire(late)).toEqual({ holder: { pid: 1, identity: "one", host: "here" } });
    expect(moves).toBe(1);
    expect(readdirSync(dirname(store.layout.temporary()))).toEqual([]);
  });
});
