/** The ledger knows which fingerprints gave two results, and only that. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLedger, findForgotten } from "../../src/cache/ledger.ts";
import type { Trace } from "../../src/cache/trace-store.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

const FINGERPRINT = "ab".repeat(32);
const trace = (digest: string, platformClass = "linux-x64-avx2"): Trace => ({
  format: "tfpipe/trace/1",
  fingerprint: FINGERPRINT,
  manifest: {
    schema: "tfpipe/key/1",
    stageType: "train",
    code: "",
    packages: {},
    params: {},
    inputs: {},
    outputs: { model: "model" },
    env: {},
  },
  code: { modules: {} },
  outputs: { model: { kind: "model", digest: digest.repeat(64), sizeBytes: 1, facts: {} } },
  durationMs: 1,
  metrics: { loss: 1 },
  measurements: {},
  warnings: [],
  platformClass,
  runId: `run-${digest}`,
  madeAt: "2026-01-02T10:11:12Z",
});
const open = () => createLedger(store.files, store.layout);

test("an entry is found again, with both results", () => {
  open().add(trace("1"), trace("2"), "verify");
  expect(open().find(FINGERPRINT)).toEqual([
    {
      format: "tfpipe/ledger/1",
      fingerprint: FINGERPRINT,
      stageType: "train",
      platformClass: "linux-x64-avx2",
      foundBy: "verify",
      results: ["1", "2"].map((digest) => ({
        outputs: { model: digest.repeat(64) },
        metrics: { loss: 1 },
        runId: `run-${digest}`,
        madeAt: "2026-01-02T10:11:12Z",
      })),
    },
  ]);
  expect(open().find("cd".repeat(32))).toEqual([]);
  expect(open().isEmpty()).toBe(false);
});

test("one entry a class of machines is enough, and the first stays", () => {
  const ledger = open();
  ledger.add(trace("1"), trace("2"), "run");
  ledger.add(trace("1"), trace("3"), "verify");
  ledger.add(trace("1", "darwin-arm64"), trace("4", "darwin-arm64"), "run");
  expect(ledger.find(FINGERPRINT).map(({ results }) => results[1].runId)).toEqual(["run-2", "run-4"]);
  expect(readdirSync(join(store.layout.root, "ledger"))).toHaveLength(2);
});

test("what is no entry is none", () => {
  open().add(trace("1"), trace("2"), "run");
  const [name] = readdirSync(join(store.layout.root, "ledger"));
  writeFileSync(join(store.layout.root, "ledger", name!), "{");
  expect(open().find(FINGERPRINT)).toEqual([]);
});

test("an empty one is asked of the disk once, whatever it is asked", () => {
  let lists = 0;
  const files = {
    ...store.files,
    list(path: string) {
      lists++;
      return store.files.list(path);
    },
  };
  const ledger = createLedger(files, store.layout);
  for (let i = 0; i < 700; i++) expect([ledger.isEmpty(), ledger.find(`${i}`)]).toEqual([true, []]);
  expect(lists).toBe(1);
});

test("it is forgotten with the last trace of its fingerprint", () => {
  open().add(trace("1"), trace("2"), "run");
  expect(findForgotten(store.files, store.layout, () => true)).toEqual([]);
  expect(findForgotten(store.files, store.layout, (fingerprint) => fingerprint !== FINGERPRINT)).toHaveLength(1);
});
