import { readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLocks } from "../../src/cache/locks.ts";
import type { LockHolder } from "../../src/platform/work-lock.ts";
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

const parts = (self: LockHolder) => ({
  files: store.files,
  layout: store.layout,
  self,
  identify: (pid: number) => alive.get(pid),
  every: () => () => {},
});
const locksOf = (self: LockHolder) => createLocks(parts(self));
/** As if the last heartbeat had been so long ago. */
const setBack = (seconds: number) => {
  const time = Date.now() / 1000 - seconds;
  utimesSync(store.layout.lock("f"), time, time);
};
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

  test("of a holder that has stopped falls after a minute without a heartbeat, on the same host too", () => {
    acquire(first());
    setBack(120);
    expect(acquire(second())).toHaveProperty("release");
  });

  test("is kept by its heartbeats, and another's is not", () => {
    let beat = () => {};
    const beating = createLocks({
      ...parts({ pid: 1, identity: "one", host: "here" }),
      every(_ms, callback) {
        beat = callback;
        return () => {};
      },
    });
    acquire(beating);
    setBack(120);
    beat();
    expect(acquire(second())).toHaveProperty("holder");
    setBack(120);
    acquire(second());
    setBack(120);
    beat();
    expect(acquire(first())).toHaveProperty("release");
  });

  test("of another host falls only after a minute without a heartbeat", () => {
    acquire(locksOf({ pid: 9, identity: "", host: "elsewhere" }));
    expect(acquire(first())).toHaveProperty("holder");
    setBack(120);
    expect(acquire(first())).toHaveProperty("release");
  });

  test("that was cut short while it was written falls by itself", () => {
    writeFileSync(store.layout.lock("f"), '{"pid":');
    expect(acquire(first())).toHaveProperty("holder");
    setBack(1);
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
    setBack(-3_600);
    expect(acquire(first())).toHaveProperty("release");
  });

  test("stays with a new holder who took a dead one's between another's look and its move", () => {
    acquire(locksOf({ pid: 7, identity: "dead", host: "here" }));
    const path = store.layout.lock("f");
    let moves = 0;
    const late = createLocks({
      ...parts({ pid: 2, identity: "two", host: "here" }),
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
    });
    expect(acquire(late)).toEqual({ holder: { pid: 1, identity: "one", host: "here" } });
    expect(moves).toBe(1);
    expect(readdirSync(dirname(store.layout.temporary()))).toEqual([]);
  });

  test("is not taken for its own by a process that lost one and has another", () => {
    const lost = acquire(first());
    rmSync(store.layout.lock("f"));
    acquire(first());
    if ("release" in lost) lost.release();
    expect(acquire(second())).toHaveProperty("holder");
  });

  test("is released without a byte of room, and a release that is refused throws nothing", () => {
    const full = (changed: string[]) => ({
      ...store.files,
      rename: (_from: string, to: string) => void changed.push(to),
      writeNew(path: string, bytes: Uint8Array | string) {
        changed.push(path);
        store.files.writeNew(path, bytes);
      },
    });
    const changed: string[] = [];
    const held = acquire(createLocks({ ...parts({ pid: 1, identity: "one", host: "here" }), files: full(changed) }));
    if ("release" in held) held.release();
    expect(changed).toEqual([store.layout.lock("f")]);
    expect(acquire(second())).toHaveProperty("release");

    rmSync(store.layout.lock("f"));
    const refused = createLocks({
      ...parts({ pid: 1, identity: "one", host: "here" }),
      files: {
        ...store.files,
        remove() {
          throw Object.assign(new Error("EIO"), { code: "EIO" });
        },
      },
    });
    const kept = acquire(refused);
    if ("release" in kept) kept.release();
    setBack(61);
    expect(acquire(second())).toHaveProperty("release");
  });
});
