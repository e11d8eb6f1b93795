/**
 * Runs a program that computes on an engine in a process of its own, because the native engine needs its environment from
 * the start and because a library that does not fit this machine ends the process it is loaded into.
 */
import { spawn } from "node:child_process";
import type { EngineName } from "./engine.ts";
import { nativeEnvironment } from "./native/binding.ts";

export interface EngineProgram {
  /** The built program; it takes an engine's name, threads and folder, and prints lines of JSON. */
  readonly program: string;
  readonly engine: { readonly name: EngineName; readonly folder: string };
  readonly threads: number;
  /** What else the program takes. */
  readonly arguments?: readonly string[];
  /** A library that hangs is as unfit as one that crashes. */
  readonly timeoutMs: number;
  readonly onLine: (line: unknown) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves with how the process ended, undefined where it ended well. Rejects only when `signal` is aborted. */
export function runEngineProgram(options: EngineProgram): Promise<string | undefined> {
  const { program, engine, threads, timeoutMs, onLine, signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(
      process.execPath,
      [program, engine.name, String(threads), engine.folder, ...(options.arguments ?? [])],
      {
        env: { ...process.env, ...nativeEnvironment(threads) },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: timeoutMs,
        killSignal: "SIGKILL",
      },
    );
    const kill = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    let rest = "";
    let complaints = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      // All else is a library's own chatter.
      for (const line of lines) if (line.startsWith("{")) onLine(JSON.parse(line));
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-2000);
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, killed) => {
      signal?.removeEventListener("abort", kill);
      if (signal?.aborted) return reject(signal.reason as Error);
      if (code === 0) return resolve(undefined);
      const how = killed === null ? `exit code ${code}` : `signal ${killed}`;
      const last = complaints.trim().split("\n").at(-1);
      resolve(`its process ended with ${how}${last ? `: ${last}` : ""}`);
    });
  });
}
