/** The suite finds what is wrong, and says of which op, also where nobody watches it but a user. */
import { beforeEach, expect, test } from "vitest";
import { checkEqual } from "../../../../src/ml/engine/contract/check.ts";
import { memoryCases } from "../../../../src/ml/engine/contract/memory-contract.ts";
import { poolingCases } from "../../../../src/ml/engine/contract/pooling-contract.ts";
import { runContract } from "../../../../src/ml/engine/contract/run-contract.ts";
import { createEngine } from "../../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine } from "../../../../src/ml/engine/engine.ts";

let engine: Engine;
beforeEach(async () => {
  engine = await createEngine({ threads: 1, precision: "float32", folder: "" });
});

const pointwise = poolingCases().filter(({ topic }) => topic === "pointwise ops");
const run = (changes: Partial<Engine>, cases = pointwise) => runContract({ ...engine, ...changes }, () => {}, cases);

test("an engine that is right has every row right, with errors that float32 explains", async () => {
  const seen: string[] = [];
  const report = await runContract(engine, ({ done, of, topic }) => seen.push(`${topic} ${done}/${of}`), pointwise);
  expect(report).toMatchObject({ ok: true, problems: [], cases: pointwise.length });
  expect(seen[0]).toBe(`pointwise ops 0/${pointwise.length}`);
  expect(report.rows.find(({ op }) => op === "add")).toMatchObject({ cases: 1, tolerance: 2e-5, ok: true });
  for (const { worstError = 0 } of report.rows) expect(worstError).toBeLessThan(1e-6);
});

test("the whole suite measures every op that the interface has", async () => {
  const { ok, rows } = await runContract(engine);
  expect(ok).toBe(true);
  const measured = new Set(rows.filter(({ worstError }) => worstError !== undefined).map(({ op }) => op.split(".")[0]));
  const memory = [
    "download",
    "downloadFloat64",
    "dispose",
    "disposeSaved",
    "liveTensors",
    "assign",
    "disposeVariable",
    "close",
  ];
  const ops = Object.entries(engine).flatMap(([name, member]) => (typeof member === "function" ? [name] : []));
  expect(ops.filter((name) => !measured.has(name) && !memory.includes(name))).toEqual([]);
});

test("an op that computes wrongly is the one whose row fails, and its case is told", async () => {
  const { ok, rows, problems } = await run({ multiply: (a, b) => engine.add(a, b) });
  expect(ok).toBe(false);
  expect(rows.filter((row) => !row.ok).map(({ op }) => op)).toEqual(["multiply"]);
  expect(rows.find(({ op }) => op === "multiply")!.worstError).toBeGreaterThan(0.1);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(
    /^pointwise ops: add and multiply work element by element.*: a b: error .* \(multiply\)$/,
  );
});

test("a NaN is no small error", async () => {
  const { rows } = await run({
    add: (a) => engine.upload(new Float32Array(a.shape.reduce((x, y) => x * y, 1)).fill(Number.NaN), a.shape),
  });
  expect(rows.find(({ op }) => op === "add")).toMatchObject({ ok: false, worstError: Number.NaN });
});

test("an op that leaks, and one that throws, fail their topic", async () => {
  const leaking = await run({
    relu(x) {
      engine.add(x, x);
      return engine.relu(x);
    },
  });
  expect(leaking.rows.filter((row) => !row.ok).map(({ op }) => op)).toEqual(["pointwise ops"]);
  expect(leaking.problems.join()).toContain("tensors leaked");
  const throwing = await run({
    add() {
      throw new Error("no such kernel");
    },
  });
  expect(throwing.problems.join()).toContain("it failed: no such kernel");
  expect(throwing.ok).toBe(false);
});

test("promises about bits have a row of their own", async () => {
  const { rows, problems } = await run(
    { download: async (handle) => (await engine.download(handle)).map((value) => value + 1) as Float32Array },
    memoryCases({ keepsFloat32: true }).slice(0, 1),
  );
  expect(rows).toEqual([{ op: "memory", cases: 1, ok: false }]);
  expect(problems[0]).toContain("Float32Array");
});

test("comparisons are of types and bits", () => {
  expect(() => checkEqual(Float32Array.of(1), Int32Array.of(1), "x")).toThrow(
    "x: Float32Array [1] instead of Int32Array [1]",
  );
  expect(() => checkEqual(-0, 0, "x")).toThrow();
  checkEqual([Number.NaN, [1]], [Number.NaN, [1]], "x");
});
