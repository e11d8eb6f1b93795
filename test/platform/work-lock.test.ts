/** Locks for work outside a store: installations and downloads. What a lock is, is tested with those of the store. */
import { existsSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireWorkLock } from "../../src/platform/work-lock.ts";
import { temporaryFolder } from "../bundle-worker.ts";

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, "work.lock");
});
afterEach(() => folder.remove());

const { signal } = new AbortController();

test("a second one waits, is told for whom, and has the lock once the first released it", async () => {
  const first = await acquireWorkLock(path, { signal });
  const waitedFor: number[] = [];
  const second = await acquireWorkLock(path, {
    signal,
    onWait(pid) {
      waitedFor.push(pid);
      first?.release();
    },
  });
  expect(waitedFor).toEqual([process.pid]);
  second?.release();
  expect(existsSync(path)).toBe(false);
});

test("nobody waits for what is done, or after an interruption", async () => {
  const first = await acquireWorkLock(path, { signal });
  let isDone = false;
  const onWait = () => {
    isDone = true;
  };
  expect(await acquireWorkLock(path, { signal, done: () => isDone, onWait })).toBeUndefined();
  const stop = new AbortController();
  const waiting = acquireWorkLock(path, { signal: stop.signal, onWait: () => stop.abort(new Error("stopped")) });
  await expect(waiting).rejects.toThrow("stopped");
  first?.release();
});

test("the lock of a process that is gone falls at once", async () => {
  writeFileSync(path, JSON.stringify({ pid: 2 ** 30, identity: "1", host: hostname() }));
  const lock = await acquireWorkLock(path, { signal, onWait: () => expect.unreachable() });
  lock?.release();
});
