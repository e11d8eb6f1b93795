/**
 * Runs a shell stage's command: a process group of its own, the environment given and nothing else, output caught. However
 * it ends is a value, and whatever it started ends with it.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { killTree, stopTree } from "../platform/process-tree.ts";
import type { FailureRecord } from "../record.ts";
import { catchOutput } from "./caught-output.ts";
import type { Clock } from "./clock.ts";
import { guardProcess } from "./process-guard.ts";
import type { StageResult } from "./stage-process.ts";

export interface ShellProcessOptions {
  /** The shell, its arguments, and last the script. */
  readonly words: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onOutput: (stream: "stdout" | "stderr", line: string) => void;
  /** Abort: the tree is asked to end, and after a while ended. */
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, "wait">;
  readonly timeoutMs?: number;
  /** Told how to end the tree at once. */
  readonly onStart: (kill: () => void) => void;
}

/** What left the group may hold the output open: nobody waits longer for it. */
const LAST_OUTPUT_MS = 2_000;

export function runShellProcess(options: ShellProcessOptions): Promise<StageResult> {
  const { signal, folder, environment, words, clock, timeoutMs } = options;
  return new Promise((resolve) => {
    const refuse = (error: Error) =>
      resolve({ result: "failed", failure: { ...describeStart(error), lastOutput: [] } });
    let child: ReturnType<typeof spawnCommand>;
    try {
      child = spawnCommand(words, folder, environment);
    } catch (error) {
      // Refused before it began: a value with a NUL in it, more text than the system passes on.
      refuse(error as Error);
      return;
    }
    child.on("error", refuse);
    const { pid } = child;
    if (pid === undefined) return;
    const guard = guardProcess({ pid, clock, signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    options.onStart(guard.kill);
    const lastOutput = catchOutput(child, options.onOutput);
    const stop = () => stopTree(pid);
    const closed = new AbortController();
    child.on("exit", async () => {
      killTree(pid);
      await clock.wait(LAST_OUTPUT_MS, closed.signal);
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
    child.on("close", (given, signalled) => {
      const { code, killedBy } = readEnd(given, signalled);
      closed.abort();
      signal.removeEventListener("abort", stop);
      const ended = guard.ended();
      if (ended !== undefined) resolve({ result: "failed", failure: { ...ended, lastOutput } });
      else if (code === 0) resolve({ result: "done" });
      else if (signal.aborted) resolve({ result: "interrupted" });
      else resolve({ result: "failed", failure: { ...describeEnd(code, killedBy), lastOutput } });
    });
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
}

/**
 * Stands between the runner and the command, so that a command does not outlive a runner that was killed: the pipe on
 * descriptor 3 ends with the runner, and then the group is ended. Asked to stop, it waits for what the command makes of it.
 */
const KEEPER = `trap : TERM
"$@" 3<&- &
command=$!
{ trap '' TERM; read -r _ <&3; kill -KILL 0; } &
watcher=$!
while :; do wait "$command"; code=$?; kill -0 "$command" 2>/dev/null || break; done
kill -KILL "$watcher" 2>/dev/null
exit "$code"`;

function spawnCommand(words: readonly string[], folder: string, environment: Readonly<Record<string, string>>) {
  return spawn("/bin/sh", ["-c", KEEPER, "sh", ...words], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
}

/** A shell tells by a code above 128 which signal ended what it ran. */
function readEnd(code: number | null, killedBy: NodeJS.Signals | null) {
  const number = code === null || code <= 128 ? undefined : code - 128;
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name === undefined ? { code, killedBy } : { code, killedBy: name as NodeJS.Signals };
}

type Described = Pick<FailureRecord, "message" | "help">;

function describeStart(error: Error & { readonly code?: string }): Described {
  switch (error.code) {
    case "E2BIG":
      return {
        message: "its command and values are longer than the system passes to a process",
        help: "put what is long into a file, and make the file an input",
      };
    case "ERR_INVALID_ARG_VALUE":
      return {
        message: "a value of it holds a character U+0000, which no environment variable can",
        help: "put such data into a file, and make the file an input",
      };
    default:
      return { message: `its command could not be started: ${error.message}` };
  }
}

function describeEnd(code: number | null, killedBy: NodeJS.Signals | null): Described {
  if (killedBy === "SIGKILL")
    return {
      message: "its command was killed (SIGKILL)",
      help: "if nobody did that, the system ran out of memory",
    };
  if (killedBy !== null) return { message: `its command was ended by ${killedBy}` };
  const message = `its command ended with exit code ${code}`;
  if (code === 127) return { message, help: "127 means that a program was not found; the command sees PATH as you do" };
  return code === 126 ? { message, help: "126 means that a program could not be executed" } : { message };
}
