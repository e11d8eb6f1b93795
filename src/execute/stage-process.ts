/**
 * Runs one stage in a process of its own: environment built from scratch, its own process group, output caught. A crash,
 * a kill for memory and a hang-up all end as a failure value; nothing of the process is left behind.
 */
import { fork } from "node:child_process";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import type { JsonValue } from "../json.ts";
import { killTree } from "../platform/process-tree.ts";
import type { FailureRecord } from "../record.ts";
import type { Clock } from "./clock.ts";
import { describeRefusal } from "./describe-refusal.ts";
import { guardProcess } from "./process-guard.ts";
import type { FromWorker, ToWorker, WorkerNews, WorkRequest } from "./worker-protocol.ts";

export type StageResult =
  | { readonly result: "done"; readonly peakMemoryBytes?: number }
  | { readonly result: "interrupted" }
  | { readonly result: "failed"; readonly failure: FailureRecord };

export interface StageProcessOptions {
  /** Path of the built worker. */
  readonly worker: string;
  readonly request: WorkRequest;
  readonly environment: Readonly<Record<string, string>>;
  readonly onMessage: (message: WorkerNews) => void;
  readonly onOutput: (stream: "stdout" | "stderr", line: string) => void;
  readonly checkpoints: {
    find(key: JsonValue): Promise<ArtifactPaths | undefined>;
    save(key: JsonValue, folder: string, passing: boolean): Promise<void>;
    mark(key: JsonValue, as: "kept" | "expendable"): void;
    drop(key: JsonValue): void;
  };
  /** First abort: stop at the next step. */
  readonly signal: AbortSignal;
  /** Given what ends it at once, for a second Ctrl-C. */
  readonly onStart: (kill: () => void) => void;
  readonly clock: Pick<Clock, "wait">;
  readonly timeoutMs?: number;
}

const KEPT_LINES = 40;
/** What it started may hold its output open although it is gone. */
const LAST_OUTPUT_MS = 2_000;

export function runStageProcess(options: StageProcessOptions): Promise<StageResult> {
  const { request, signal, checkpoints } = options;
  return new Promise((resolve) => {
    const child = fork(options.worker, [], {
      env: options.environment,
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: true,
      serialization: "advanced",
    });
    const { pid } = child;
    const guard =
      pid === undefined
        ? undefined
        : guardProcess({
            pid,
            clock: options.clock,
            signal,
            ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
          });
    if (guard !== undefined) options.onStart(guard.kill);
    const closed = new AbortController();
    const lastOutput: string[] = [];
    const listen = (stream: "stdout" | "stderr"): void => {
      let rest = "";
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split(/\r?\n/);
        rest = lines.pop()!;
        for (const line of lines) {
          lastOutput.push(line);
          if (lastOutput.length > KEPT_LINES) lastOutput.shift();
          options.onOutput(stream, line);
        }
      });
      child[stream]?.on("end", () => rest !== "" && lastOutput.push(rest));
    };
    listen("stdout");
    listen("stderr");

    let result: StageResult | undefined;
    const post = (message: ToWorker): void => {
      if (child.connected) child.send(message, () => {}); // a process that is gone is reported by its exit
    };
    const onAbort = () => post({ type: "abort" });
    const answer = async (call: number, work: () => Promise<ArtifactPaths | undefined>): Promise<void> => {
      try {
        const value = await work();
        post({ type: "reply", call, ...(value === undefined ? {} : { value }) });
      } catch (error) {
        const { message, help } = describeRefusal(error) ?? { message: String(error), help: undefined };
        post({ type: "reply", call, error: { message, ...(help === undefined ? {} : { help }) } });
      }
    };
    child.on("message", (raw) => {
      const message = raw as FromWorker;
      switch (message.type) {
        case "progress":
        case "log":
        case "warn":
        case "measure":
          options.onMessage(message);
          return;
        case "find-checkpoint":
          void answer(message.call, () => checkpoints.find(message.key));
          return;
        case "save-checkpoint":
          void answer(message.call, async () => {
            await checkpoints.save(message.key, message.folder, message.passing);
            return undefined;
          });
          return;
        case "mark-checkpoint":
          void answer(message.call, async () => {
            checkpoints.mark(message.key, message.as);
            return undefined;
          });
          return;
        case "drop-checkpoint":
          void answer(message.call, async () => {
            checkpoints.drop(message.key);
            return undefined;
          });
          return;
        case "done":
          guard?.expectEnd();
          result = { result: "done", peakMemoryBytes: message.peakMemoryBytes };
          return;
        case "interrupted":
          guard?.expectEnd();
          result = { result: "interrupted" };
          return;
        case "failed": {
          guard?.expectEnd();
          const { type: _type, ...failure } = message;
          result = { result: "failed", failure: { ...failure, lastOutput } };
          return;
        }
      }
    });
    child.on("error", (error) => {
      result ??= {
        result: "failed",
        failure: { message: `its process could not be started: ${error.message}`, lastOutput },
      };
    });
    // Not at "close": what it started may hold its output open for ever.
    child.on("exit", async () => {
      if (pid !== undefined) killTree(pid);
      await options.clock.wait(LAST_OUTPUT_MS, closed.signal);
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
    child.on("close", (code, killedBy) => {
      closed.abort();
      signal.removeEventListener("abort", onAbort);
      const ended = guard?.ended();
      if (ended !== undefined) resolve({ result: "failed", failure: { ...ended, lastOutput } });
      else if (result !== undefined) resolve(result);
      else if (signal.aborted) resolve({ result: "interrupted" });
      else resolve({ result: "failed", failure: describeExit(code, killedBy, request, lastOutput) });
    });
    signal.addEventListener("abort", onAbort, { once: true });
    post({ type: "run", request });
    if (signal.aborted) onAbort();
  });
}

function describeExit(
  code: number | null,
  signal: NodeJS.Signals | null,
  { params: { batchSize } }: WorkRequest,
  lastOutput: readonly string[],
): FailureRecord {
  if (lastOutput.some((line) => line.includes("JavaScript heap out of memory")))
    return {
      message: "its process ran out of memory for JavaScript values",
      help: "keep less at once: read in pieces, and hold numbers in typed arrays",
      lastOutput,
    };
  if (signal === "SIGKILL")
    return {
      message: "its process was killed (SIGKILL)",
      help: `if nobody did that, the system ran out of memory: ${
        typeof batchSize === "number" && batchSize > 1
          ? `batchSize is ${batchSize}, and ${Math.floor(batchSize / 2)} needs about half as much`
          : "smaller batches, models or images need less"
      }`,
      lastOutput,
    };
  if (signal !== null) return { message: `its process crashed (${signal})`, lastOutput };
  return { message: `its process ended with code ${code} before the stage was done`, lastOutput };
}
