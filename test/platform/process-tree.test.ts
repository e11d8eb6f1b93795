/** Real processes: what is ended takes with it everything it started, wherever that went. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { descendantsOf, killDescendants, killTree, processIdentity } from "../../src/platform/process-tree.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of started) if (pid !== undefined) killTree(pid);
  started.length = 0;
});

/** Starts a child in the same group, one in a session of its own, and a child of that; says their numbers. */
const PARENT = `
const { spawn } = require("node:child_process");
const idle = "setInterval(() => {}, 1e6)";
const grandparent = 'const { spawn } = require("node:child_process"); const child = spawn(process.execPath, ["-e", "' + idle + '"]); console.log(child.pid); ' + idle;
const near = spawn(process.execPath, ["-e", idle]);
const far = spawn(process.execPath, ["-e", grandparent], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
far.stdout.on("data", (text) => console.log([near.pid, far.pid, Number(text)].join(" ")));
${"setInterval(() => {}, 1e6)"}
`;

async function startFamily(): Promise<{ parent: number; family: readonly number[] }> {
  const child = spawn(process.execPath, ["-e", PARENT], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  for await (const line of createInterface({ input: child.stdout }))
    return { parent: child.pid!, family: line.split(" ").map(Number) };
  throw new Error("the parent ended without a word");
}

const living = (pids: readonly number[]) => pids.filter((pid) => processIdentity(pid) !== undefined);

describe.skipIf(process.platform !== "linux")("a process and what it started", () => {
  test("are found, also where they have sessions of their own", async () => {
    const { parent, family } = await startFamily();
    expect([...descendantsOf(parent)].sort()).toEqual([...family].sort());
  });

  test("end together", async () => {
    const { parent, family } = await startFamily();
    killTree(parent);
    await expect.poll(() => living([parent, ...family])).toEqual([]);
  });

  test("end without the process itself where only they are to", async () => {
    const { parent, family } = await startFamily();
    killDescendants(parent);
    await expect.poll(() => living([parent, ...family])).toEqual([parent]);
  });
});

test("ending a process that is gone is quiet", async () => {
  const child = spawn(process.execPath, ["-e", ""], { detached: true });
  await new Promise((resolve) => child.on("close", resolve));
  killTree(child.pid!);
  expect(descendantsOf(child.pid!)).toEqual([]);
});
