/**
 * Trains in PyTorch what a pipeline trained here: the same initial weights, the very batches that our loader makes, every
 * step's rate; and draws both curves.
 *
 *   node bench/recipes/compare.mjs PIPELINE [--project DIR] [--profile P]... [--param K=V]... [--steps N [--double]]
 *                                  [--python PYTHON] [--name NAME]
 *   node bench/recipes/compare.mjs --plot-only NAME
 *
 * PIPELINE names one whose stages `normalize`, `model`, `train` and `evaluate` ran in DIR (here, if left out) with these
 * profiles and params. Writes `results/NAME.json` and `.svg`; NAME is the pipeline's, if left out. `--steps` is a trial: it
 * prints the first losses and keeps nothing; with `--double`, those of double precision, which tell rounding from error. Batches go to PyTorch through a pipe; only its own computing is timed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { prepareEnvironment } from "../train/environment.mjs";
import { environmentFolder, root } from "../train/places.mjs";
import { openStoredRun } from "./stored-run.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    project: { type: "string", default: root },
    profile: { type: "string", multiple: true, default: [] },
    param: { type: "string", multiple: true, default: [] },
    steps: { type: "string" },
    double: { type: "boolean", default: false },
    python: { type: "string" },
    name: { type: "string" },
    "plot-only": { type: "string" },
  },
});
const [given] = positionals;
if ((given === undefined) === (values["plot-only"] === undefined))
  throw new Error("either a pipeline or --plot-only NAME: node bench/recipes/compare.mjs cifar10-fast --profile local");
const pipeline = given && basename(given, ".yaml");
const name = values["plot-only"] ?? values.name ?? pipeline;
const limit = values.steps === undefined ? Number.POSITIVE_INFINITY : Number(values.steps);
if (!(limit >= 1)) throw new Error(`--steps ${values.steps} is no number of steps`);
if (values.double && values.steps === undefined) throw new Error("--double is for a trial of some --steps");

const results = join(here, "results");
const file = join(results, `${name}.json`);
const bundles = join(environmentFolder, "recipes");
await build({
  absWorkingDir: root,
  entryPoints: {
    product: "bench/recipes/product.mjs",
    curves: "bench/recipes/curves.mjs",
    "loader-worker": "src/ml/data/loader-worker.ts",
  },
  outdir: bundles,
  ...{ bundle: true, splitting: true, platform: "node", target: "node20", format: "esm", packages: "external" },
  logLevel: "warning",
});
const importBundle = (name) => import(pathToFileURL(join(bundles, `${name}.js`)).href);

let comparison;
if (pipeline === undefined) comparison = JSON.parse(readFileSync(file, "utf8"));
else comparison = await compare(await importBundle("product"));
const { tfpipe, PyTorch } = comparison.curves;
if (values.steps !== undefined) {
  const rows = PyTorch.loss.map((theirs, i) => ({
    tfpipe: tfpipe.loss[i],
    PyTorch: theirs,
    difference: tfpipe.loss[i] - theirs,
  }));
  console.table(Object.fromEntries(rows.map((row, i) => [`step ${i + 1}`, row])));
  console.log(`PyTorch trained ${PyTorch.imagesPerSecond.toFixed(0)} images/s, its first step included`);
} else {
  const { drawCurves } = await importBundle("curves");
  const font = (weight) => join(root, "assets", "fonts", `Inter-${weight}.ttf`);
  const fontFiles = { regular: font("Regular"), semiBold: font("SemiBold") };
  mkdirSync(results, { recursive: true });
  if (pipeline !== undefined) writeFileSync(file, `${JSON.stringify(comparison)}\n`);
  const chart = {
    ...comparison,
    name,
    title: `${comparison.pipeline}, here and in PyTorch`,
    subtitle: `the same weights, batches and rates; ${comparison.precision}`,
  };
  writeFileSync(join(results, `${name}.svg`), await drawCurves(chart, fontFiles));
  console.log(`| ${name}, ${comparison.precision} | tfpipe | PyTorch |\n| --- | --- | --- |`);
  const row = (title, show) => console.log(`| ${title} | ${show(tfpipe)} | ${show(PyTorch)} |`);
  const percent = (fraction) => `${(100 * fraction).toFixed(2)} %`;
  row("steps", ({ loss }) => loss.length);
  row("first loss", ({ loss }) => loss[0].toFixed(6));
  row("mean of the last tenth's losses", ({ loss }) => {
    const last = loss.slice(-Math.max(1, Math.round(loss.length / 10)));
    return (last.reduce((sum, value) => sum + value, 0) / last.length).toFixed(4);
  });
  row("validation accuracy", ({ validAccuracy }) => percent(validAccuracy.at(-1)));
  row("test accuracy", ({ testAccuracy }) => percent(testAccuracy));
  row("training images/s", ({ imagesPerSecond }) => imagesPerSecond.toFixed(0));
  row("minutes in steps", ({ seconds }) => (seconds / 60).toFixed(1));
}

async function installedPython() {
  const { torch } = await prepareEnvironment(["torch"]);
  if (torch.problem !== undefined) throw new Error(`PyTorch ${torch.problem}`);
  return torch.command[0];
}

async function compare(product) {
  const stored = openStoredRun(product, resolve(values.project), pipeline, values.profile, values.param);
  const { params, engine, measurements } = stored.stage("train");
  const spec = JSON.parse(readFileSync(stored.artifact("model", "model").path("architecture.json"), "utf8"));
  const modules = product.torchConstructor(spec);
  if (modules === undefined) throw new Error(`no PyTorch modules for ${JSON.stringify(spec)}`);
  if (params.optimizer.type !== "sgd") throw new Error("only SGD can be compared");
  const { mixup, clipGradient, weightAverage, earlyStop } = params;
  const settings = { mixup, clipGradient, weightAverage, earlyStop };
  const unknown = Object.keys(settings).filter((setting) => settings[setting] !== undefined);
  if (params.accumulateSteps !== 1) unknown.push("accumulateSteps");
  if (params.select !== "last") unknown.push(`select: ${params.select}`);
  if (params.optimizer.weightDecayOn !== "all") unknown.push(`weightDecayOn: ${params.optimizer.weightDecayOn}`);
  if (unknown.length > 0)
    throw new Error(`torch_recipe.py does not do what the pipeline asks for: ${unknown.join(", ")}`);

  const source = (output, options) =>
    product.createImageSource({
      dataset: product.openDataset(stored.artifact("normalize", output)),
      batchSize: params.batchSize,
      seed: params.seed,
      threads: 1,
      workerModule: join(bundles, "loader-worker.js"),
      dropLast: false,
      shuffle: false,
      ...options,
    });
  const train = source("train", { purpose: "train", shuffle: true, dropLast: params.dropLast });
  const valid = source("valid", { purpose: "valid" });
  const test = source("test", { purpose: "test", batchSize: stored.stage("evaluate").params.batchSize, seed: 0 });
  const stepsPerEpoch = train.loader.batchesPerEpoch;
  const rates = product.epochRates(params.schedule, params.optimizer.learningRate, {
    epochs: params.epochs,
    stepsPerEpoch,
  });
  if (rates.length === 0 && params.epochs > 1) throw new Error("a plateau decides by its own measurements");
  const rateOf = (epoch, step) =>
    rates.length === 0
      ? { learningRate: params.optimizer.learningRate, momentum: undefined }
      : product.rateAt(rates[epoch - 1], step);

  const python = spawn(values.python ?? (await installedPython()), [join(here, "torch_recipe.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const curve = { loss: [], validAccuracy: [], testAccuracy: 0, imagesPerSecond: 0, seconds: 0 };
  const finished = once(python, "close");
  createInterface(python.stdout).on("line", (line) => {
    const message = JSON.parse(line);
    if (message.loss !== undefined) curve.loss.push(message.loss);
    if (message.valid !== undefined) curve.validAccuracy.push(message.valid);
    if (message.test !== undefined) Object.assign(curve, { testAccuracy: message.test, seconds: message.seconds });
    if (message.valid !== undefined || curve.loss.length % 20 === 0)
      console.error(`PyTorch: ${curve.loss.length} steps, loss ${curve.loss.at(-1)?.toFixed(4)}, ${line.slice(0, 90)}`);
  });
  const send = async (header, ...arrays) => {
    python.stdin.write(`${JSON.stringify(header)}\n`);
    for (const [i, array] of arrays.entries()) {
      // The loader fills the batch's memory again as soon as it is asked for the next.
      const bytes = Buffer.from(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      const room = python.stdin.write(bytes);
      if (!room && i === arrays.length - 1) await once(python.stdin, "drain");
    }
  };
  const sendBatch = (type, { images, labels, shape }, more = {}) =>
    send({ type, shape, ...more }, labels.slice(), images.slice());
  const { optimizer } = params;
  await send({
    type: "start",
    modules: modules.join("\n"),
    weights: stored.artifact("model", "model").path("model.safetensors"),
    mean: train.mean,
    std: train.std,
    bfloat16: engine.precision === "bfloat16" && !values.double,
    double: values.double,
    labelSmoothing: params.labelSmoothing ?? 0,
    averageFlips: stored.stage("evaluate").params.averageFlips ?? false,
    sgd: {
      lr: optimizer.learningRate,
      momentum: optimizer.momentum,
      dampening: optimizer.dampening,
      nesterov: optimizer.nesterov,
      weight_decay: optimizer.weightDecay,
    },
  });
  const sendAll = async (type, { loader }) => {
    for await (const batch of loader.epoch(1)) {
      await sendBatch(type, batch);
      // A trial of some steps looks at some images.
      if (values.steps !== undefined) break;
    }
  };
  let steps = 0;
  for (let epoch = 1; epoch <= params.epochs && steps < limit; epoch++) {
    let step = 0;
    for await (const batch of train.loader.epoch(epoch)) {
      await sendBatch("step", batch, rateOf(epoch, ++step));
      if (++steps >= limit) break;
    }
    await sendAll("valid", valid);
    await send({ type: "epochEnd" });
  }
  await sendAll("test", test);
  await send({ type: "end" });
  python.stdin.end();
  const [code] = await finished;
  for (const { loader } of [train, valid, test]) await loader.close();
  if (code !== 0) throw new Error(`PyTorch ended with exit code ${code}`);

  const history = JSON.parse(readFileSync(stored.artifact("train", "history").path("history.json"), "utf8"));
  const images = steps * params.batchSize;
  return {
    pipeline,
    profiles: values.profile,
    params: stored.run.params,
    stepsPerEpoch,
    precision: engine.precision,
    curves: {
      tfpipe: {
        loss: history.loss.slice(0, steps),
        validAccuracy: history.epochs.map(({ validAccuracy }) => validAccuracy),
        testAccuracy: stored.stage("evaluate").metrics.testAccuracy,
        imagesPerSecond: measurements.imagesPerSecond ?? 0,
        seconds: (history.loss.length * params.batchSize) / (measurements.imagesPerSecond ?? Number.NaN),
      },
      PyTorch: { ...curve, imagesPerSecond: images / curve.seconds },
    },
  };
}
