/** Two runs beside each other, from records and traces as the program keeps them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareRuns } from "../../src/cache/compare-runs.ts";
import { createRunStore } from "../../src/cache/run-store.ts";
import type { Trace } from "../../src/cache/trace-store.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { fingerprintOf } from "../../src/identity/fingerprint.ts";
import type { KeyManifest } from "../../src/identity/key-manifest.ts";
import type { RunRecord, StageRecord } from "../../src/record.ts";
import { runRecord, stageRecord } from "../report/recorded-run.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

const compare = (before: RunRecord, after: RunRecord) =>
  compareRuns({ runs: createRunStore(store), traces: store.traces }, before, after);

const manifest: KeyManifest = {
  schema: "tfpipe/key/1",
  stageType: "train",
  code: "c1",
  packages: { vega: "6.3.0" },
  params: {},
  inputs: { images: digestBytes("images") },
  outputs: { model: "model" },
  env: {},
};

/** A stage that ran, and its trace in the store. */
function ran(
  key: Partial<KeyManifest>,
  modules: Readonly<Record<string, string>>,
  more: Partial<StageRecord>,
): StageRecord {
  const whole = { ...manifest, ...key };
  const fingerprint = fingerprintOf(whole);
  const outputs = { model: { kind: "model", digest: digestBytes(fingerprint), sizeBytes: 1, facts: {} } };
  const trace: Trace = {
    format: "tfpipe/trace/1",
    fingerprint,
    manifest: whole,
    code: { modules },
    outputs,
    durationMs: 1,
    metrics: {},
    measurements: {},
    warnings: [],
    platformClass: "here",
    runId: "r1",
    madeAt: "2026-01-01T00:00:00.000Z",
  };
  store.traces.add(trace);
  return stageRecord("train", "ran", { fingerprint, outputs, ...more });
}

describe("two runs", () => {
  test("that are the same differ in nothing, and nothing is unknown", () => {
    const run = runRecord([ran({}, {}, {})]);
    const { before: _before, after: _after, metrics, ...rest } = compare(run, { ...run, id: "r2" });
    expect(Object.values(rest).every((part) => part.length === 0)).toBe(true);
    expect(metrics).toEqual([]);
  });

  test("differ in params, code, packages, engines, the user's files, metrics, artifacts, durations and machine", () => {
    const engine = { name: "native", version: "2.18.1", threads: 2, precision: "float32" };
    const before = runRecord(
      [
        ran(
          {},
          { "stages/train.ts": "1", "src/rng.ts": "1" },
          {
            params: { epochs: 2, optimizer: { learningRate: 0.1 } },
            metrics: { validAccuracy: 0.5, bestEpoch: 3, old: 1 },
            durationMs: 60_000,
            engine,
          },
        ),
      ],
      { params: { epochs: 2 } },
    );
    const after = runRecord(
      [
        ran(
          { code: "c2", packages: { vega: "6.4.0" }, inputs: { images: digestBytes("others") } },
          { "stages/train.ts": "2", "src/rng.ts": "1" },
          {
            params: { epochs: 3, optimizer: { learningRate: 0.1 } },
            metrics: { validAccuracy: 0.75, bestEpoch: 3 },
            durationMs: 90_000,
            engine: { ...engine, threads: 4 },
          },
        ),
      ],
      { id: "r2", name: "more", params: { epochs: 3 }, environment: { ...before.environment, cores: 4 } },
    );
    const comparison = compare(before, after);
    expect(comparison).toMatchObject({
      after: { id: "r2", name: "more" },
      params: [{ name: "epochs", before: "2", after: "3" }],
      stageParams: [{ stage: "train", name: "epochs", before: "2", after: "3" }],
      code: [{ stage: "train", name: "stages/train.ts", before: "1", after: "2" }],
      packages: [{ stage: "train", name: "vega", before: "6.3.0", after: "6.4.0" }],
      engines: [{ stage: "train", name: "threads", before: "2", after: "4" }],
      inputs: [{ stage: "train", name: "images", before: digestBytes("images"), after: digestBytes("others") }],
      metrics: [
        { stage: "train", name: "validAccuracy", before: 0.5, after: 0.75, difference: 0.25 },
        { stage: "train", name: "bestEpoch", before: 3, after: 3, difference: 0 },
        { stage: "train", name: "old", before: 1 },
      ],
      durations: [{ stage: "train", beforeMs: 60_000, afterMs: 90_000 }],
      environment: [{ name: "cores", before: "2", after: "4" }],
      stages: [],
      unknown: [],
    });
    expect(comparison.artifacts).toEqual([expect.objectContaining({ stage: "train", name: "model" })]);
  });

  test("whose inputs were made by other stages of theirs differ in artifacts, not in inputs", () => {
    const images = (text: string) => ({
      images: { kind: "dataset", digest: digestBytes(text), sizeBytes: 1, facts: {} },
    });
    const side = (text: string, id: string) =>
      runRecord(
        [
          stageRecord("fetch", "ran", { fingerprint: digestBytes("same"), outputs: images(text) }),
          ran({ inputs: { images: digestBytes(text) } }, {}, {}),
        ],
        { id },
      );
    const { inputs, artifacts } = compare(side("a", "r1"), side("b", "r2"));
    expect(inputs).toEqual([]);
    expect(artifacts.map(({ stage, name }) => `${stage}.${name}`)).toEqual(["fetch.images", "train.model"]);
  });

  test("with other stages, or stages that ended otherwise, say so", () => {
    const before = runRecord([stageRecord("fetch", "ran"), stageRecord("train", "ran"), stageRecord("old", "ran")]);
    const after = runRecord([stageRecord("fetch", "fresh"), stageRecord("train", "failed"), stageRecord("new", "ran")]);
    expect(compare(before, after).stages).toEqual([
      { stage: "train", before: "ran", after: "failed" },
      { stage: "old", before: "ran" },
      { stage: "new", after: "ran" },
    ]);
  });

  test("of which one has lost a trace, or its record, are said to be known in part", () => {
    const lost = stageRecord("train", "ran", { fingerprint: digestBytes("gone") });
    const before = runRecord([lost]);
    const after = runRecord([ran({}, {}, {})], { id: "r2" });
    expect(compare(before, after).unknown).toEqual([
      { stage: "train", runId: "r1", reason: "its trace was removed from the store" },
    ]);
    const nothing = runRecord([], { id: "r3", sameAs: "r0" });
    expect(compare(nothing, after).unknown).toEqual([
      { runId: "r3", reason: "it found everything done by the run r0, whose record was removed" },
    ]);
  });
});
