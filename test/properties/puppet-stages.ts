/**
 * Puppet stages run within the test's process, on a disk in memory. They begin when the executor lets them, and end one at
 * a time in an order drawn from a seed, each only when nothing else in the process can go on: so a seed is an order.
 */
import { join } from "node:path";
import { type ArtifactPaths, REFERENCES_FILE } from "../../src/cache/artifact-store.ts";
import type { StageProcessOptions, StageResult } from "../../src/execute/stage-process.ts";
import { canonicalJson } from "../../src/json.ts";
import { errorCode, type FileSystem } from "../../src/platform/file-system.ts";
import { createRng } from "../../src/rng.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { type PuppetType, produce, type Value } from "./model-project.ts";

export interface PuppetTheatre {
  /** What executes stages for the process that sees the disk as `files`. */
  runWorker(files: FileSystem, writer: MemoryDisk): (options: StageProcessOptions) => Promise<StageResult>;
  /** Names of the stages whose code was started, in order, by every process. */
  readonly executed: readonly string[];
  /** Lets stages end until `work` is done. */
  perform<T>(work: Promise<T>): Promise<T>;
}

export interface PuppetTheatreOptions {
  readonly seed: number;
  /** Whether stages read their inputs when they are about to end, and not when they begin. */
  readonly readLate: boolean;
  /** Before the n-th stage ends, from 0 on, which reads what: objects of the store, and files of the user's. */
  readonly beforeEnd?: (count: number, reads: readonly string[]) => void;
}

/** More turns of the event loop than anything here takes. */
const PATIENCE = 200_000;

export function createPuppetTheatre({ seed, readLate, beforeEnd }: PuppetTheatreOptions): PuppetTheatre {
  const rng = createRng(seed, "order of completion");
  const executed: string[] = [];
  const onStage: { readonly exit: () => void; readonly reads: readonly string[] }[] = [];
  return {
    executed,
    runWorker: (files, writer) => async (options) => {
      const { params, entry, outputs } = options.request;
      const alive = () => files.stat("/") !== undefined;
      executed.push(String(params.stage));
      const [type, salt] = files.readText(entry)!.split("\n") as [PuppetType, string];
      const readInputs = () =>
        Object.entries(options.request.inputs)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([port, paths]) => [port, readValue(files, paths)] as const);
      const failed = (message: string): StageResult => ({ result: "failed", failure: { message, lastOutput: [] } });
      let inputs: ReturnType<typeof readInputs> | undefined;
      try {
        if (!readLate) inputs = readInputs();
        const reads = Object.values(options.request.inputs).flatMap(filesOf);
        await new Promise<void>((exit) => onStage.push({ exit, reads }));
        alive();
        inputs ??= readInputs();
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        return failed("an input is gone");
      }
      if (options.signal.aborted) return { result: "interrupted" };
      if (params.fails === true) return failed("told to fail");
      const made = produce(type, salt, String(params.text), inputs);
      for (const [name, { files: written, references }] of Object.entries(made)) {
        const folder = outputs[name]!;
        for (const [path, { text, executable }] of written) {
          writer.makeFolder(join(folder, path, ".."));
          writer.write(join(folder, path), text);
          if (executable) writer.setMode(join(folder, path), "writable-executable");
        }
        if (references !== undefined) {
          const { kind, digest } = options.request.inputs[references]!;
          writer.write(join(folder, REFERENCES_FILE), `${canonicalJson({ base: { kind, digest } })}\n`);
        }
      }
      return { result: "done" };
    },
    async perform(work) {
      let isOver = false;
      const watched = work.finally(() => {
        isOver = true;
      });
      // Whoever waits for `work` sees its failure; this one only watches.
      watched.catch(() => {});
      let ended = 0;
      for (let idle = 0; !isOver; idle++) {
        await new Promise((resolve) => setImmediate(resolve));
        if (isOver || onStage.length === 0) {
          if (idle > PATIENCE) throw new Error(`nothing goes on any more; ${executed.length} stages had begun`);
          continue;
        }
        idle = 0;
        const [next] = onStage.splice(Math.floor(rng.uniform() * onStage.length), 1);
        beforeEnd?.(ended++, next!.reads);
        next!.exit();
      }
      return work;
    },
  };
}

function filesOf({ files, references }: ArtifactPaths): readonly string[] {
  return [...files.map(({ at }) => at), ...Object.values(references).flatMap(filesOf)];
}

/** What a stage can see of an artifact: no modes. */
function readValue(files: FileSystem, { kind, files: listed, references }: ArtifactPaths): Value {
  const own = listed.filter(({ path }) => path !== REFERENCES_FILE);
  const textOf = (at: string) => new TextDecoder().decode(files.read(at));
  const text = new Map(own.map(({ path, at }) => [path, { text: textOf(at), executable: false }]));
  const { base } = references;
  return {
    form: kind === "path" ? "file" : "artifact",
    files: text,
    ...(base === undefined ? {} : { base: readValue(files, base) }),
  };
}
