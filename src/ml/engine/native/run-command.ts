/** Runs another program to its end: its output's tail is kept, and an abort ends it and what it started. */
import { spawn } from "node:child_process";
import { killTree } from "../../../platform/process-tree.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Undefined where there is no such program. */
  readonly exitCode: number | undefined;
  /** The last of stdout and stderr, in the order in which it came. */
  readonly output: string;
}

const OUTPUT_KEPT = 20_000;

export function runCommand(
  program: string,
  args: readonly string[],
  { cwd, environment = process.env, signal }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that a compiler's helpers end with it.
      detached: true,
    });
    let output = "";
    const keep = (text: string) => {
      output = (output + text).slice(-OUTPUT_KEPT);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const stop = () => {
      if (child.pid !== undefined) killTree(child.pid);
    };
    signal?.addEventListener("abort", stop, { once: true });
    const settle = (exitCode: number | undefined) => {
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve({ exitCode, output });
    };
    child.on("error", () => settle(undefined));
    child.on("close", (code) => settle(code ?? -1));
  });
}

/** Whether the program is there and works. */
export async function works(program: string, args: readonly string[], options: CommandOptions = {}): Promise<boolean> {
  return (await runCommand(program, args, options)).exitCode === 0;
}
