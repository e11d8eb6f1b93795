/** The process of a stage, seen from the runner: what it says arrives, however it ends is a value, nothing is left behind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runStageProcess, type StageResult } from "../../src/execute/stage-process.ts";
import type { WorkerNews } from "../../src/execute/worker-protocol.ts";
import type { JsonObject } from "../../src/json.ts";
import { processIdentity } from "../../src/platform/process-tree.ts";
import { waitFor } from "../../src/platform/wait-for.ts";

const worker = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "worker.js");
let folder: string;
let news: WorkerNews[];
let output: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stage-"));
  news = [];
  output = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a stage whose `run(ctx)` has this body. */
function runPuppet(
  body: string,
  {
    signal = new AbortController().signal,
    environment = {},
    onNews = () => {},
    params = {},
    wait = waitFor,
  }: {
    signal?: AbortSignal;
    environment?: Record<string, string>;
    onNews?: (message: WorkerNews) => void;
    params?: JsonObject;
    wait?: typeof waitFor;
  } = {},
): Promise<StageResult> {
  const entry = join(folder, "puppet.mjs");
  writeFileSync(entry, `export const puppet = { type: "puppet", async run(ctx) { ${body} } };`);
  return runStageProcess({
    worker,
    request: {
      stageType: "puppet",
      entry,
      assets: {},
      params: { seed: 1, ...params },
      inputs: {},
      outputs: {},
      checkpointFolder: join(folder, "checkpoints"),
      scratchFolder: join(folder, "scratch"),
      processors: 2,
    },
    environment: { PATH: process.env.PATH!, ...environment },
    onMessage(message) {
      news.push(message);
      onNews(message);
    },
    onOutput: (stream, line) => output.push(`${stream}: ${line}`),
    checkpoints: { find: async () => undefined, save: async () => {}, mark: () => {}, drop: () => {} },
    signal,
    onStart: () => {},
    clock: { wait },
  });
}

const lines = () => news.flatMap((message) => (message.type === "log" ? [message.line] : []));

describe("a stage's process", () => {
  test("loses no message, although its end follows at once and nobody reads in time", async () => {
    const busy = (ms: number) => {
      const end = performance.now() + ms;
      while (performance.now() < end);
    };
    const result = await runPuppet('for (let i = 0; i < 3000; i++) ctx.log(String(i).padEnd(200, "x"));', {
      onNews: () => busy(0.1),
    });
    expect(result.result).toBe("done");
    expect(lines()).toHaveLength(3000);
  });

  test("that throws a StageFailure tells message and help, and no stack", async () => {
    const result = await runPuppet(
      'console.error("before"); const error = new Error("no network"); error.name = "StageFailure"; error.help = "plug it in"; throw error;',
    );
    expect(result).toEqual({
      result: "failed",
      failure: { message: "no network", help: "plug it in", lastOutput: ["before"] },
    });
    expect(output).toEqual(["stderr: before"]);
  });

  test("that throws anything else tells where", async () => {
    const result = await runPuppet('throw new TypeError("a bug");');
    expect(result.result === "failed" && result.failure.stack).toMatch(/TypeError: a bug[\s\S]*puppet\.mjs/);
  });

  test.each([
    [
      "is killed",
      'process.kill(process.pid, "SIGKILL"); await new Promise(() => setInterval(() => {}, 1e6));',
      /was killed \(SIGKILL\)/,
    ],
    [
      "crashes",
      'process.kill(process.pid, "SIGSEGV"); await new Promise(() => setInterval(() => {}, 1e6));',
      /crashed \(SIGSEGV\)/,
    ],
    ["ends early", "process.exit(7);", /ended with code 7/],
    ["waits for what never comes", "await new Promise(() => {});", /ended with code/],
  ])("that %s is a failure", async (_what, body, message) => {
    const result = await runPuppet(`console.log("last words"); ${body}`);
    expect(result.result === "failed" && result.failure.message).toMatch(message);
    expect(result.result === "failed" && result.failure.lastOutput).toContain("last words");
  });

  test.each([
    [{ batchSize: 256 }, "batchSize is 256, and 128 needs about half as much"],
    [{}, "smaller batches, models or images need less"],
  ])("that is killed as the system does for want of memory, with %o, says how to need less", async (params, advice) => {
    const body = 'process.kill(process.pid, "SIGKILL"); await new Promise(() => setInterval(() => {}, 1e6));';
    const result = await runPuppet(body, { params });
    expect(result.result === "failed" && result.failure.help).toBe(
      `if nobody did that, the system ran out of memory: ${advice}`,
    );
  });

  test("is asked to stop, and says that it did", async () => {
    const abort = new AbortController();
    const result = await runPuppet(
      'ctx.log("ready"); setInterval(() => {}, 1e6); await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); throw ctx.signal.reason;',
      { signal: abort.signal, onNews: (message) => message.type === "log" && abort.abort() },
    );
    expect(result).toEqual({ result: "interrupted" });
  });

  test("sees none of the user's environment but what it was given", async () => {
    process.env.TF_PUPPET = "leaks";
    await runPuppet("ctx.log(JSON.stringify(process.env));", { environment: { GIVEN: "1" } });
    delete process.env.TF_PUPPET;
    const seen = JSON.parse(lines()[0]!) as Record<string, string>;
    expect(seen.GIVEN).toBe("1");
    expect(seen.TF_PUPPET).toBeUndefined();
  });

  test("takes what it started with it", async () => {
    await runPuppet(
      'const { spawn } = await import("node:child_process"); const child = spawn("sleep", ["1000"]); ctx.log(String(child.pid));',
    );
    await expect.poll(() => processIdentity(Number(lines()[0]))).toBeUndefined();
  });

  test("that was done and does not end is ended, and is a failure", async () => {
    const result = await runPuppet("process.exit = () => {}; setInterval(() => {}, 1e6);", {
      wait: (ms, signal) => (ms === 10_000 ? Promise.resolve() : waitFor(ms, signal)),
    });
    expect(result).toMatchObject({
      result: "failed",
      failure: { message: "it was done, and its process did not end within 10 s, so it was killed" },
    });
  });

  test.skipIf(process.platform !== "linux")("takes with it what it started in a session of its own", async () => {
    const start =
      'const { spawn } = await import("node:child_process"); const child = spawn("sleep", ["1000"], { detached: true, stdio: "inherit" }); ctx.log(String(child.pid));';
    const done = await runPuppet(start);
    expect(done.result).toBe("done");
    await expect.poll(() => processIdentity(Number(lines()[0]))).toBeUndefined();
    news = [];
    const failed = await runPuppet(`${start} throw new Error("no");`);
    expect(failed.result).toBe("failed");
    await expect.poll(() => processIdentity(Number(lines()[0]))).toBeUndefined();
  });

  test("that runs out of memory for JavaScript values says so", async () => {
    const body =
      'console.error("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"); process.abort();';
    const result = await runPuppet(body);
    expect(result.result === "failed" && result.failure.message).toBe(
      "its process ran out of memory for JavaScript values",
    );
  });
});
