/** Runs an engine's self-test in a process of its own. */
import { spawn } from "node:child_process";
import type { EngineName } from "./engine.ts";
import { nativeEnvironment } from "./native/binding.ts";
import type { SelfTestResult } from "./self-test.ts";

/** A library that hangs is as unfit as one that crashes. Loading it from a cold disk takes some seconds. */
const TIMEOUT_MS = 120_000;

/** `program` is `self-test-main.ts`, bundled. Never rejects but when `signal` is aborted. */
export function selfTestInProcess(
  program: string,
  engine: { readonly name: EngineName; readonly folder: string },
  { threads = 1, signal }: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<SelfTestResult> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(process.execPath, [program, engine.name, String(threads), engine.folder], {
      env: { ...process.env, ...nativeEnvironment(threads) },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    const kill = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    let output = "";
    let complaints = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-2000);
    });
    child.on("error", (error) => resolve({ ok: false, problem: error.message }));
    child.on("close", (code, killed) => {
      signal?.removeEventListener("abort", kill);
      if (signal?.aborted) return reject(signal.reason as Error);
      const line = output.trim().split("\n").at(-1) ?? "";
      try {
        resolve(JSON.parse(line) as SelfTestResult);
      } catch {
        const how = killed === null ? `exit code ${code}` : `signal ${killed}`;
        const last = complaints.trim().split("\n").at(-1);
        resolve({ ok: false, problem: `the self-test's process ended with ${how}${last ? `: ${last}` : ""}` });
      }
    });
  });
}
