/**
 * The process a stage runs in: it loads the very bundle that was hashed, gives it its context, and reports. It ends with
 * its stage, and with its parent: when the channel closes, there is nobody left to work for.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ArtifactPaths, openArtifact, REFERENCES_FILE } from "../cache/artifact-store.ts";
import { type Artifact, type Checkpoints, type StageContext, type StageDefinition, StageFailure } from "../contract.ts";
import { canonicalJson } from "../json.ts";
import { killDescendants } from "../platform/process-tree.ts";
import { createRng } from "../rng.ts";
import { describeRefusal } from "./describe-refusal.ts";
import type { FromWorker, ToWorker, WorkRequest } from "./worker-protocol.ts";

const calls = new Map<number, (reply: ToWorker & { type: "reply" }) => void>();
const abort = new AbortController();

process.on("disconnect", () => {
  killDescendants(process.pid);
  process.exit(1);
});
process.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "run":
      // From here on the channel alone keeps nothing alive: a stage that waits for what never comes ends, and is reported.
      process.channel?.unref();
      void work(message.request);
      return;
    case "abort":
      abort.abort(new Interrupted());
      return;
    case "reply":
      calls.get(message.call)?.(message);
      calls.delete(message.call);
      if (calls.size === 0) process.channel?.unref();
      return;
  }
});

class Interrupted extends Error {}

async function work(request: WorkRequest): Promise<void> {
  let engine: { close(): Promise<void> } | undefined;
  let last: FromWorker;
  try {
    const definition = await loadDefinition(request);
    engine = await openEngine(request);
    await definition.run(makeContext(request, engine));
    await engine?.close();
    last = { type: "done", peakMemoryBytes: process.resourceUsage().maxRSS * 1024 };
  } catch (error) {
    const interrupted = error instanceof Interrupted || (abort.signal.aborted && error === abort.signal.reason);
    last = interrupted ? { type: "interrupted" } : describeFailure(error);
  }
  // While this process lives, what the stage has started can still be found.
  killDescendants(process.pid);
  // Messages arrive in order: when the last is out, all are. Whatever the stage left running must not keep the process.
  process.send?.(last, () => process.exit(0));
}

async function loadDefinition({ entry, stageType }: WorkRequest): Promise<StageDefinition> {
  // A user's bundle has a map beside it: an error of theirs names the line that they wrote.
  process.setSourceMapsEnabled(true);
  const module = (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
  for (const exported of Object.values(module)) {
    const candidate = exported as Partial<StageDefinition> | undefined;
    if (candidate?.type === stageType && typeof candidate.run === "function") return candidate as StageDefinition;
  }
  throw new Error(`${entry} exports no stage of type ${stageType}`);
}

async function openEngine({ engine }: WorkRequest): Promise<{ close(): Promise<void> } | undefined> {
  if (engine === undefined) return undefined;
  const { bundle, ...options } = engine;
  const { createEngine } = (await import(pathToFileURL(bundle).href)) as {
    createEngine: (given: typeof options) => Promise<{ close(): Promise<void> }>;
  };
  return createEngine(options);
}

function makeContext(request: WorkRequest, engine: unknown): StageContext {
  const inputs = Object.fromEntries(Object.entries(request.inputs).map(([port, paths]) => [port, openArtifact(paths)]));
  const outputs = Object.fromEntries(
    Object.entries(request.outputs).map(([name, folder]) => {
      const references: Record<string, { kind: string; digest: string }> = {};
      const reference = (as: string, artifact: Artifact): void => {
        references[as] = { kind: artifact.kind, digest: artifact.digest };
        writeFileSync(join(folder, REFERENCES_FILE), `${canonicalJson(references)}\n`);
      };
      return [name, { folder, reference }];
    }),
  );
  return {
    params: request.params,
    inputs,
    outputs,
    get engine(): unknown {
      if (engine === undefined) throw new Error(`stage type ${request.stageType} does not declare that it computes`);
      return engine;
    },
    checkpoints: makeCheckpoints(request.checkpointFolder),
    signal: abort.signal,
    asset(name) {
      const path = request.assets[name];
      if (path === undefined) throw new Error(`stage type ${request.stageType} declares no asset ${name}`);
      return path;
    },
    rng(name) {
      const { seed } = request.params;
      if (typeof seed !== "number") throw new Error(`stage type ${request.stageType} has no seed to draw from`);
      return createRng(seed, name);
    },
    scratch(name) {
      const folder = join(request.scratchFolder, name);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    threads: (maximum) => Math.max(1, Math.min(maximum, request.processors)),
    progress(progress) {
      send({ type: "progress", progress });
      if (request.stopAt !== undefined && progress.done >= request.stopAt) abort.abort(new Interrupted());
    },
    metric: (name, value) => send({ type: "measure", role: "metric", name, value }),
    measure: (name, value) => send({ type: "measure", role: "measurement", name, value }),
    log: (line) => send({ type: "log", line }),
    warn: (line) => send({ type: "warn", line }),
  };
}

function makeCheckpoints(folder: string): Checkpoints {
  return {
    async find(key) {
      const paths = await call({ type: "find-checkpoint", key });
      return paths === undefined ? undefined : openArtifact(paths);
    },
    async save(key, write, { passing } = { passing: false }) {
      mkdirSync(folder, { recursive: true });
      const staging = mkdtempSync(join(folder, "checkpoint-"));
      try {
        await write(staging);
        await call({ type: "save-checkpoint", key, folder: staging, passing });
      } finally {
        rmSync(staging, { recursive: true, force: true });
      }
    },
    async mark(key, as) {
      await call({ type: "mark-checkpoint", key, as });
    },
    async drop(key) {
      await call({ type: "drop-checkpoint", key });
    },
  };
}

/** What the worker waits for an answer to. */
type Question = FromWorker extends infer M ? (M extends { readonly call: number } ? Omit<M, "call"> : never) : never;

let lastCall = 0;
function call(question: Question): Promise<ArtifactPaths | undefined> {
  return new Promise((resolve, reject) => {
    const number = ++lastCall;
    calls.set(number, ({ value, error }) => {
      if (error === undefined) resolve(value);
      else reject(error.help === undefined ? new Error(error.message) : new StageFailure(error.message, error.help));
    });
    process.channel?.ref();
    send({ ...question, call: number });
  });
}

function describeFailure(error: unknown): FromWorker {
  if (!(error instanceof Error)) return { type: "failed", message: String(error) };
  const refusal = describeRefusal(error);
  if (refusal !== undefined) return { type: "failed", message: refusal.message, help: refusal.help };
  const help = "help" in error && typeof error.help === "string" ? error.help : undefined;
  return {
    type: "failed",
    message: error.message,
    ...(help === undefined ? {} : { help }),
    // A StageFailure says all there is to say; anything else may be a bug, and then the place matters.
    ...(error.name === "StageFailure" || error.stack === undefined ? {} : { stack: error.stack }),
  };
}

function send(message: FromWorker): void {
  process.send?.(message);
}
