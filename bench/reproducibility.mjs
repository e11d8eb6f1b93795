/**
 * In which surroundings a training comes to the same bits: a small ResNet is trained for a few steps from the same weights
 * on the same batches, each time with one thing otherwise, and its weights are compared tensor by tensor, by the code that
 * `pipe verify` compares with. What it prints is the table of docs/reproducibility.md.
 *
 *   node bench/reproducibility.mjs [--library FOLDER]... [--node PROGRAM]... [--steps 1,5] [--only NAME]... [--json FILE]
 *
 * `--library`: a folder with another version of TensorFlow's C library, as of its wheel (`pip download tensorflow-cpu==2.15.1`
 * and unpack it). `--node`: another version of Node; the native addon is built for one, so that one is left out there.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTraining, MEAN, makePixels, openEngine, STD } from "./train/peers/training.mjs";
import { environmentFolder, importProduct, root } from "./train/places.mjs";

const MODEL = { block: "basic", layers: [1, 1, 1, 1] };
const SIZE = [32, 32];
const BATCH = 16;
/** As on processors without what came later: VNNI, bfloat16, AMX. */
const FIRST_AVX512 = { ONEDNN_MAX_CPU_ISA: "AVX512_CORE" };

const { values: flags } = parseArgs({
  options: {
    library: { type: "string", multiple: true, default: [] },
    node: { type: "string", multiple: true, default: [] },
    only: { type: "string", multiple: true, default: [] },
    steps: { type: "string", default: "1,5" },
    json: { type: "string" },
    request: { type: "string" },
  },
});
const STEPS = flags.steps.split(",").map(Number);
if (flags.request !== undefined) await train(JSON.parse(flags.request));
else await compareAll();

/** `than`: the name of what it is compared with. `environment`: what the process is started with instead. */
function variants(libraries) {
  const native = { engine: "native", threads: 2 };
  const wasm = { engine: "wasm", threads: 1 };
  const base = "native";
  return [
    { name: base, ...native },
    { name: "native, another process", ...native, than: base },
    { name: "native, one thread", ...native, threads: 1, than: base },
    { name: "native, oneDNN off", ...native, than: base, environment: { TF_ENABLE_ONEDNN_OPTS: "0" } },
    { name: "native, deterministic ops off", ...native, than: base, environment: { TF_DETERMINISTIC_OPS: "0" } },
    { name: "native, as without AVX-512", ...native, than: base, environment: { ONEDNN_MAX_CPU_ISA: "AVX2" } },
    { name: "native, as with the first AVX-512", ...native, than: base, environment: FIRST_AVX512 },
    ...libraries.map(({ version, home }) => ({
      ...{ name: `native, TensorFlow ${version}`, ...native, than: base, home },
    })),
    ...libraries.map(({ version, home }) => ({
      ...{ name: `native, TensorFlow ${version}, one thread`, ...native, threads: 1, than: "native, one thread", home },
    })),
    ...libraries.map(({ version, home }) => ({
      ...{ name: `native, TensorFlow ${version}, as without AVX-512`, ...native, than: "native, as without AVX-512" },
      ...{ environment: { ONEDNN_MAX_CPU_ISA: "AVX2" }, home },
    })),
    { name: "native, direct convolutions", ...native, convolution: "direct", than: base },
    { name: "native, bfloat16", ...native, precision: "bfloat16", than: base },
    {
      ...{ name: "native, bfloat16, as with the first AVX-512", ...native, precision: "bfloat16" },
      ...{ than: "native, bfloat16", environment: FIRST_AVX512 },
    },
    { name: "wasm", ...wasm, than: base },
    { name: "wasm, another process", ...wasm, than: "wasm" },
    { name: "wasm, two threads", ...wasm, threads: 2, than: "wasm" },
    ...flags.node.map((node) => ({ name: `wasm, Node ${versionOf(node)}`, ...wasm, node, than: "wasm" })),
    { name: "cpu", engine: "cpu", threads: 1, than: "wasm" },
    { name: "cpu, another process", engine: "cpu", threads: 1, than: "cpu" },
    ...flags.node.map((node) => ({
      name: `cpu, Node ${versionOf(node)}`,
      engine: "cpu",
      threads: 1,
      node,
      than: "cpu",
    })),
    { name: "webgpu", engine: "webgpu", threads: 1, than: "wasm" },
    { name: "webgpu, another process", engine: "webgpu", threads: 1, than: "webgpu" },
  ];
}

function versionOf(node) {
  return execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
}

async function compareAll() {
  const { bundleProduct } = await import("./train/environment.mjs");
  await bundleProduct();
  const ml = await importProduct();
  const folder = mkdtempSync(join(tmpdir(), "reproducibility-"));
  try {
    const all = variants(flags.library.map(installLibrary));
    const wanted = all.filter(({ name }) => flags.only.length === 0 || flags.only.includes(name));
    const trained = new Map();
    const rows = [];
    for (const variant of wanted) {
      const result = trainInProcess(ml, variant, join(folder, String(trained.size)));
      trained.set(variant.name, result);
      console.error(`${variant.name}: ${result.problem ?? `${result.seconds.toFixed(1)} s`}`);
      const other = trained.get(variant.than);
      if (other === undefined) continue;
      const problem = result.problem ?? other.problem;
      const compare = (steps) => summarise(ml.compareSafetensors(fileOf(other, steps), fileOf(result, steps)));
      const compared =
        problem === undefined ? { after: STEPS.map((steps) => ({ steps, ...compare(steps) })) } : { problem };
      rows.push({ name: variant.name, than: variant.than, engine: result.version ?? "", ...compared });
    }
    console.log(report(rows, trained));
    if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(rows, undefined, 2)}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An engine of that library, in a folder of its own, so that the user's own stays. */
function installLibrary(folder) {
  const home = join(environmentFolder, `engine-${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`);
  mkdirSync(home, { recursive: true });
  const args = [join(root, "dist", "pipe.js"), "engine", "install", "--dir", folder];
  execFileSync(process.execPath, args, {
    env: { ...process.env, TFPIPE_HOME: home },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [name] = readdirSync(join(home, "engines")).filter((entry) => /^native-tfjs/.test(entry));
  return { home, version: /-tf([\d.]+)-/.exec(name)[1] };
}

function trainInProcess(ml, { environment = {}, home, node = process.execPath, ...variant }, file) {
  const { engine, threads } = variant;
  const request = JSON.stringify({ ...variant, file, steps: STEPS });
  const env = {
    ...process.env,
    ...(engine === "native" && ml.nativeEnvironment(threads)),
    ...(engine === "webgpu" && ml.webgpuEnvironment()),
    ...(home !== undefined && { TFPIPE_HOME: home }),
    ...environment,
  };
  const { status, stdout, stderr } = spawnSync(node, [process.argv[1], "--request", request], {
    env,
    encoding: "utf8",
  });
  if (status !== 0) return { problem: stderr.trim().split("\n").at(-1) || `exit code ${status}` };
  return { file, ...JSON.parse(stdout.trim().split("\n").at(-1)) };
}

/** In a process of its own. The engine would refuse one that was not started as it wants, so it is shown what it wants. */
async function train({ file, steps, engine: name, threads, home: _home, name: _name, than: _than, ...settings }) {
  const ml = await importProduct();
  if (name === "native") process.env = { ...process.env, ...ml.nativeEnvironment(threads) };
  let engine;
  try {
    engine = await openEngine(ml, threads, { engine: name, ...settings });
  } catch (error) {
    console.error(error.message.split("\n")[0]);
    process.exit(1);
  }
  const model = ml.describeModel({ ...MODEL, numClasses: 10 });
  const start = performance.now();
  for (const count of steps) {
    const network = ml.createNetwork(engine, model);
    network.loadStateDict(ml.initialState(model, 1));
    const training = createTraining(ml, { engine, network, source: batches(count), batch: BATCH, onStep() {} });
    const { state } = await ml.trainModel({
      ...training,
      checkpoints: { ...training.checkpoints, mark: async () => {} },
    });
    ml.writeSafetensors(fileOf({ file }, count), state);
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ seconds, version: engine.version }));
  process.exit(0);
}

function fileOf({ file }, steps) {
  return `${file}-${steps}.safetensors`;
}

/** Another batch each step, the same in every process. */
function batches(steps) {
  const pixels = makePixels(BATCH * steps, SIZE);
  const length = BATCH * SIZE[0] * SIZE[1] * 3;
  const loader = {
    ...{ batchesPerEpoch: steps, imagesPerEpoch: steps * BATCH, waitedMs: () => 0, close: async () => {} },
    async *epoch() {
      for (let step = 0; step < steps; step++) {
        const indices = Int32Array.from({ length: BATCH }, (_, i) => step * BATCH + i);
        const images = pixels.slice(step * length, (step + 1) * length);
        yield { images, labels: indices.map((i) => i % 10), indices, shape: [BATCH, ...SIZE, 3] };
      }
    },
  };
  return { loader, mean: MEAN, std: STD };
}

function summarise({ tensors, differing }) {
  const sum = (pick) => differing.reduce((total, one) => total + pick(one), 0);
  const most = (pick) => differing.reduce((found, one) => Math.max(found, pick(one) ?? 0), 0);
  return {
    tensors,
    differing: differing.length,
    elements: sum(({ elements }) => elements),
    differingElements: sum(({ differing: count }) => count),
    maxAbsolute: most(({ maxAbsolute }) => maxAbsolute),
    maxUlp: most(({ maxUlp }) => maxUlp),
    notFinite: sum(({ nanChanges, infinityChanges }) => nanChanges + infinityChanges),
  };
}

function report(rows, trained) {
  const versions = [...new Set([...trained.values()].flatMap(({ version }) => version ?? []))].join(", ");
  const lines = rows.map((row) => `| ${row.name} | ${row.than} | ${cellsOf(row).join(" | ")} |`);
  return [
    `${cpus()[0].model}, ${process.platform} ${process.arch}, Node ${process.versions.node}; ${versions}`,
    `SGD with momentum, blocks ${MODEL.layers.join("-")}, ${SIZE.join(" x ")} px, batch ${BATCH}`,
    "",
    `| trained with | beside | ${STEPS.map((steps) => `weights after ${steps === 1 ? "1 step" : `${steps} steps`}`).join(" | ")} |`,
    `| --- | --- | ${STEPS.map(() => "---").join(" | ")} |`,
    ...lines,
  ].join("\n");
}

function cellsOf({ problem, after }) {
  return problem === undefined ? after.map(resultText) : STEPS.map(() => `could not be tried: ${problem}`);
}

function resultText({ differing, tensors, elements, differingElements, maxAbsolute, maxUlp, notFinite }) {
  if (differing === 0) return "identical";
  const share = ((100 * differingElements) / elements).toFixed(1);
  const ulp = maxUlp < 1e4 ? maxUlp : maxUlp.toExponential(1).replace("+", "");
  const more = notFinite === 0 ? "" : `, ${notFinite} NaN or infinite in one alone`;
  return `${differing} of ${tensors} tensors, at most ${maxAbsolute.toPrecision(2)}, ${ulp} ULP, ${share} %${more}`;
}
