/**
 * Traces: what one execution of a fingerprint produced. Written last, after every object it names, so a trace that can
 * be read is a promise that was kept. Its file name is the digest of its content: a trace that was cut short or edited
 * does not count.
 */
import { join } from "node:path";
import type { Facts } from "../contract.ts";
import { digestBytes } from "../identity/digest.ts";
import type { CodeListing, KeyManifest } from "../identity/key-manifest.ts";
import type { StoredCode } from "../identity/stored-code.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import type { EngineRecord } from "../record.ts";
import { replaceFile, type StoreLayout } from "./store-layout.ts";

export interface Trace {
  readonly format: "tfpipe/trace/1";
  readonly fingerprint: string;
  readonly manifest: KeyManifest;
  readonly code: TracedCode;
  readonly outputs: Readonly<Record<string, TracedOutput>>;
  readonly durationMs: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly measurements: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly engine?: EngineRecord;
  /** What the checkpoints that it left belong to; absent where it saved and found none. */
  readonly checkpointBase?: string;
  /** The class of machines on which equal bits are promised: platform, architecture, instructions. */
  readonly platformClass: string;
  readonly runId: string;
  /** ISO 8601, UTC. */
  readonly madeAt: string;
}

export interface TracedCode extends CodeListing {
  /** What ran, among the objects; absent of a command, and where it could not be kept. */
  readonly ran?: StoredCode;
}

/** What came out, without how its key was made. */
export type TracedResult = Omit<Trace, "manifest" | "code">;

export interface TracedOutput {
  readonly kind: string;
  /** Of the folder's listing. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly facts: Facts;
}

export interface TraceStore {
  /** Newest first. Traces that cannot be believed are left out. */
  find(fingerprint: string): readonly Trace[];
  add(trace: Trace): void;
}

const ID_LENGTH = 32;

export function resultOf({ manifest: _manifest, code: _code, ...result }: Trace): TracedResult {
  return result;
}

export function createTraceStore(files: FileSystem, layout: StoreLayout): TraceStore {
  return {
    find(fingerprint) {
      const folder = layout.traces(fingerprint);
      const traces: Trace[] = [];
      try {
        for (const name of files.list(folder)) {
          const trace = parseTrace(files.readText(join(folder, name)), name);
          if (trace?.fingerprint === fingerprint) traces.push(trace);
        }
      } catch (error) {
        // What cannot be read is made again.
        if (!isRefusal(error)) throw error;
      }
      return traces.sort((a, b) => (a.madeAt < b.madeAt ? 1 : a.madeAt > b.madeAt ? -1 : 0));
    },
    add(trace) {
      const text = canonicalJson(trace as unknown as JsonObject);
      const folder = layout.traces(trace.fingerprint);
      files.makeFolder(folder);
      replaceFile(files, layout, join(folder, `${digestBytes(text).slice(0, ID_LENGTH)}.json`), text);
    },
  };
}

/** Undefined where the text is not what the name says, or is no trace: then the stage runs again. */
export function parseTrace(text: string | undefined, name: string): Trace | undefined {
  if (text === undefined || `${digestBytes(text).slice(0, ID_LENGTH)}.json` !== name) return undefined;
  try {
    const trace = JSON.parse(text) as Trace | null;
    return trace !== null && isTrace(trace) ? trace : undefined;
  } catch {
    return undefined;
  }
}

function isTrace(trace: Trace): boolean {
  const { manifest, code, outputs, metrics, measurements, warnings, durationMs } = trace;
  const texts = [trace.fingerprint, trace.platformClass, trace.runId, trace.madeAt];
  return (
    trace.format === "tfpipe/trace/1" &&
    texts.every((text) => typeof text === "string") &&
    [manifest, code, outputs, metrics, measurements].every(isObject) &&
    Object.values(outputs).every(isOutput) &&
    // Of every output that the stage had, and of no other.
    isObject(manifest.outputs) &&
    Object.keys(outputs).sort().join() === Object.keys(manifest.outputs).sort().join() &&
    typeof durationMs === "number" &&
    Array.isArray(warnings) &&
    warnings.every((line) => typeof line === "string")
  );
}

function isOutput(output: TracedOutput): boolean {
  return (
    isObject(output) &&
    typeof output.kind === "string" &&
    /^[0-9a-f]{64}$/.test(output.digest) &&
    typeof output.sizeBytes === "number" &&
    isObject(output.facts)
  );
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
