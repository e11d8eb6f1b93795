/**
 * Where a step's time goes on the native engine: every TensorFlow op that it calls, timed from outside, beside what the
 * same machine's MatMul reaches. Ops run where they are called, so their times add up to the step's.
 *
 *   node bench/train/profile.mjs [--case resnet34-32] [--steps 3] [--engine-settings KEY=VALUE,...] [--shapes]
 */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { CASES, DEFAULTS, PEERS } from "./cases.mjs";
import { createNetwork, createTraining, openEngine, repeatOneBatch } from "./peers/training.mjs";
import { importProduct } from "./places.mjs";

const FLOAT = 1;
const BFLOAT16 = 14;
const DTYPE_BYTES = { 1: 4, 3: 4, 4: 1, 9: 8, 10: 1, 14: 2 };
const ATTR_TYPE = 4;
const WARMUP_STEPS = 2;

const { values: flags } = parseArgs({
  options: {
    case: { type: "string", default: "resnet34-32" },
    steps: { type: "string", default: "3" },
    "engine-settings": { type: "string", default: "" },
    shapes: { type: "boolean", default: false },
  },
});
const { threads } = DEFAULTS;

/** TensorFlow reads its environment when the process starts. */
async function startWithEnvironment() {
  await (await import("./environment.mjs")).bundleProduct();
  const { nativeEnvironment } = await importProduct();
  const env = { ...process.env, ...nativeEnvironment(threads) };
  try {
    execFileSync(process.execPath, process.argv.slice(1), { env, stdio: "inherit" });
  } catch ({ status }) {
    process.exitCode = status ?? 1; // it has said why
  }
}

async function profile() {
  const one = CASES.find(({ name, kind }) => name === flags.case && kind === "step");
  if (one === undefined) throw new Error(`there is no case ${flags.case} of steps`);
  const pairs = flags["engine-settings"].split(",").filter((pair) => pair !== "");
  const settings = { ...PEERS.tfpipe.settings, ...Object.fromEntries(pairs.map((pair) => pair.split("="))) };
  const ml = await importProduct();
  const ops = watchOps(ml.findAddon(ml.resolveEngine("native").folder));
  const engine = await openEngine(ml, threads, settings);
  const network = createNetwork(ml, engine, one.model);
  const steps = Number(flags.steps);
  const seconds = [];
  let mark = performance.now();
  const onStep = () => {
    const now = performance.now();
    seconds.push((now - mark) / 1000);
    mark = now;
    if (seconds.length === WARMUP_STEPS) ops.start();
    if (seconds.length < WARMUP_STEPS + steps) return;
    const rows = ops.stop();
    const rates = { [FLOAT]: ops.matMulRate(FLOAT), [BFLOAT16]: ops.matMulRate(BFLOAT16) };
    print(one.title, engine.version, settings, rows, seconds.slice(WARMUP_STEPS), rates);
    process.exit(0);
  };
  const source = repeatOneBatch(one.batch, one.size);
  await ml.trainModel(createTraining(ml, { engine, network, source, batch: one.batch, onStep }));
}

/** Puts itself between the engine and the addon: what `require` gives out for it is ours from now on. */
function watchOps(addon) {
  const require = createRequire(import.meta.url);
  const binding = require(addon);
  /** Shape and type of every number that the addon gave out. */
  const handles = new Map();
  let rows;
  const watched = Object.create(binding, {
    createTensor: {
      value(shape, dtype, data) {
        const id = binding.createTensor(shape, dtype, data);
        handles.set(id, { shape, dtype });
        return id;
      },
    },
    executeOp: {
      value(op, attributes, inputs, count) {
        const start = performance.now();
        const outputs = binding.executeOp(op, attributes, inputs, count);
        const ms = performance.now() - start;
        for (const { id, shape, dtype } of outputs) handles.set(id, { shape, dtype });
        if (rows !== undefined)
          record(
            rows,
            op,
            attributes,
            inputs.map((id) => handles.get(id)),
            outputs,
            ms,
          );
        return outputs;
      },
    },
    deleteTensor: {
      value(id) {
        handles.delete(id);
        binding.deleteTensor(id);
      },
    },
  });
  require.cache[require.resolve(addon)].exports = watched;
  return {
    start() {
      rows = new Map();
    },
    stop() {
      const done = [...rows.values()];
      rows = undefined;
      return done;
    },
    matMulRate: (dtype) => matMulRate(binding, dtype),
  };
}

function record(rows, op, attributes, inputs, outputs, ms) {
  const dtype = inputs.some((handle) => handle?.dtype === BFLOAT16) ? BFLOAT16 : FLOAT;
  const shapes = flags.shapes ? ` ${describeWork(op, inputs, outputs)}` : "";
  const name = `${op}${dtype === BFLOAT16 ? " (bfloat16)" : ""}${shapes}`;
  const row = rows.get(name) ?? { name, dtype, calls: 0, ms: 0, flops: 0, bytes: 0 };
  row.calls++;
  row.ms += ms;
  row.flops += flopsOf(op, attributes, inputs, outputs);
  for (const handle of [...inputs, ...outputs]) row.bytes += bytesOf(handle);
  rows.set(name, row);
}

const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);
const bytesOf = (handle) => (handle === undefined ? 0 : sizeOf(handle.shape) * (DTYPE_BYTES[handle.dtype] ?? 0));

/** A multiplication and an addition are two. 0 where an op's time is not its arithmetic. */
function flopsOf(op, attributes, inputs, outputs) {
  const convolution = (filter, image) => 2 * sizeOf(image.shape) * sizeOf(filter.shape.slice(0, 3));
  switch (op) {
    case "Conv2D":
      return convolution(inputs[1], outputs[0]);
    case "Conv2DBackpropInput":
      return convolution(inputs[1], inputs[2]);
    case "Conv2DBackpropFilter":
      return convolution(outputs[0], inputs[2]);
    case "MatMul":
      return (2 * sizeOf(outputs[0].shape) * sizeOf(inputs[0].shape)) / outputs[0].shape[0];
    case "BatchMatMul":
    case "BatchMatMulV2": {
      const transposed = attributes.find(({ name }) => name === "adj_x")?.value === true;
      return 2 * sizeOf(outputs[0].shape) * inputs[0].shape.at(transposed ? -2 : -1);
    }
    default:
      return 0;
  }
}

function describeWork(op, inputs, outputs) {
  const shapes = op === "Conv2DBackpropFilter" ? [inputs[0], inputs[2], outputs[0]] : [...inputs, outputs[0]];
  return shapes
    .filter((handle) => handle !== undefined && handle.shape.length > 1)
    .map(({ shape }) => shape.join("x"))
    .join(" ");
}

/** The best of a few large products, in operations a second: what convolutions can be measured by. */
function matMulRate(binding, dtype) {
  const side = 2048;
  const type = (name, value) => ({ name, type: ATTR_TYPE, value });
  const plain = binding.createTensor([side, side], FLOAT, new Float32Array(side * side).fill(0.5));
  const truncate = { name: "Truncate", type: 3, value: false };
  const cast = [type("SrcT", FLOAT), type("DstT", dtype), truncate];
  const x = dtype === FLOAT ? plain : binding.executeOp("Cast", cast, [plain], 1)[0].id;
  const attributes = [type("T", dtype)];
  for (const name of ["transpose_a", "transpose_b"]) attributes.push({ name, type: 3, value: false });
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const start = performance.now();
    const [{ id }] = binding.executeOp("MatMul", attributes, [x, x], 1);
    best = Math.min(best, performance.now() - start);
    binding.deleteTensor(id);
  }
  return (2 * side ** 3) / (best / 1000);
}

function print(title, version, settings, rows, seconds, rates) {
  const steps = seconds.length;
  const stepMs = (1000 * seconds.reduce((sum, second) => sum + second, 0)) / steps;
  const giga = (perSecond) => (perSecond / 1e9).toFixed(0);
  console.log(`${title}; ${version}, ${threads} threads, ${JSON.stringify(settings)}`);
  console.log(`${stepMs.toFixed(1)} ms a step, mean of ${steps}, best ${(1000 * Math.min(...seconds)).toFixed(1)}`);
  console.log(`MatMul of 2048: ${giga(rates[FLOAT])} GFLOP/s float32, ${giga(rates[BFLOAT16])} bfloat16\n`);
  const inOps = rows.reduce((sum, row) => sum + row.ms, 0) / steps;
  const lines = rows
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ name, dtype, calls, ms, flops, bytes }) => {
      const rate = flops / (ms / 1000);
      const arithmetic = flops === 0 ? ["", ""] : [giga(rate), `${((100 * rate) / rates[dtype]).toFixed(0)} %`];
      const share = `${((100 * ms) / steps / stepMs).toFixed(1)} %`;
      return [name, calls / steps, (ms / steps).toFixed(2), share, ...arithmetic, giga(bytes / (ms / 1000))];
    });
  const calls = rows.reduce((sum, row) => sum + row.calls, 0) / steps;
  const outside = stepMs - inOps;
  const share = (ms) => `${((100 * ms) / stepMs).toFixed(1)} %`;
  lines.push(["all ops", calls, inOps.toFixed(2), share(inOps), "", "", ""]);
  lines.push(["outside ops", "", outside.toFixed(2), share(outside), "", "", ""]);
  printTable(["op", "calls", "ms", "share", "GFLOP/s", "of MatMul", "GB/s"], lines);
}

function printTable(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => (typeof cell === "number" ? cell.toFixed(0) : cell)));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  for (const row of cells)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
}

if (process.env.TF_NUM_INTRAOP_THREADS === String(threads)) await profile();
else await startWithEnvironment();
