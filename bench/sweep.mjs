/**
 * What a sweep saves: twelve trainings whose learning rates part late, as one `pipe sweep`, against the same trainings each
 * by itself with nothing to share. A ResNet-10 on images of the embedded sample.
 *
 *   npm run build && node bench/sweep.mjs [--engine native] [--epochs 10] [--images 0.4] [--jobs N]
 *
 * `--images` is the part of the sample's 5,000 training images to train on. Prints a Markdown table.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./train/places.mjs";

const { values: flags } = parseArgs({
  options: {
    engine: { type: "string", default: "native" },
    epochs: { type: "string", default: "10" },
    images: { type: "string", default: "0.4" },
    jobs: { type: "string" },
  },
});
const epochs = Number(flags.epochs);
const SEEDS = [1, 2, 3, 4];
/** The rate falls after these epochs: late, as such schedules do. The last one falls in no training. */
const MILESTONES = [Math.round(0.6 * epochs), Math.round(0.8 * epochs), epochs];

const pipeline = `name: sweep
params: { seed: 1, milestones: [${epochs}] }
engine: { name: ${flags.engine}, threads: 2 }
stages:
  fetch: { uses: fetch, inputs: { source: ${join(root, "pipelines", "data", "cifar10-sample.tar.gz")} }, with: { dataset: imageFolder } }
  split:
    uses: split
    inputs: { data: fetch.train }
    with: { fractions: { train: ${flags.images}, valid: 0.1, unused: ${Number((0.9 - Number(flags.images)).toFixed(6))} }, shuffle: stratified, seed: 1 }
  normalize:
    uses: normalize
    inputs: { train: split.train, valid: split.valid, test: fetch.test }
    with: { train: [{ randomCrop: { size: 32, padding: 4 } }, { randomHorizontalFlip: 0.5 }], seed: 1 }
  model: { uses: build-model, with: { block: basic, layers: [1, 1, 1, 1], numClasses: 10, imageSize: 32, seed: "\${params.seed}" } }
  train:
    uses: train
    inputs: { model: model, train: normalize.train, valid: normalize.valid }
    with:
      epochs: ${epochs}
      batchSize: 50
      optimizer: { type: sgd, learningRate: 0.02, momentum: 0.9, weightDecay: 5.0e-4 }
      schedule: { type: multistep, milestones: "\${params.milestones}", gamma: 0.1 }
      trainAccuracy: running
      seed: "\${params.seed}"
  evaluate: { uses: evaluate, inputs: { model: train.model, test: normalize.test } }
`;

const folder = mkdtempSync(join(tmpdir(), "bench-sweep-"));
try {
  mkdirSync(join(folder, "pipelines"));
  writeFileSync(join(folder, "package.json"), "{}\n");
  writeFileSync(join(folder, "pipelines", "sweep.yaml"), pipeline);
  // Both sides find the images in place: what is compared is training.
  pipe(["run", "sweep", "normalize", "--artifacts", "shared"]);
  const jobs = flags.jobs === undefined ? [] : ["--jobs", flags.jobs];
  const grid = `milestones=${MILESTONES.map((epoch) => `[${epoch}]`).join(",")}`;
  const sweep = measure(
    [
      "sweep",
      "sweep",
      "--grid",
      grid,
      "--grid",
      `seed=${SEEDS.join(",")}`,
      "--metric",
      "evaluate.testAccuracy",
      "--json",
      ...jobs,
    ],
    "shared",
  );
  const alone = { ms: 0, cpuMs: 0, epochs: 0, trainMs: 0 };
  for (const milestone of MILESTONES)
    for (const seed of SEEDS) {
      const artifacts = `alone-${milestone}-${seed}`;
      pipe(["run", "sweep", "normalize", "--artifacts", artifacts]);
      const params = ["--param", `milestones=[${milestone}]`, "--param", `seed=${seed}`];
      const one = measure(["run", "sweep", "evaluate", ...params, "--json", ...jobs], artifacts);
      for (const name of Object.keys(alone)) alone[name] += one[name];
      rmSync(join(folder, artifacts), { recursive: true, force: true });
    }
  print(sweep, alone);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measure(args, artifacts) {
  const [startMs, startCpuMs] = [performance.now(), childrenCpuMs()];
  const stdout = pipe([...args, "--artifacts", artifacts]);
  const [ms, cpuMs] = [performance.now() - startMs, childrenCpuMs() - startCpuMs];
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const id = lines.at(-1).runId ?? lines.at(-1).record.id;
  const { stages } = JSON.parse(readFileSync(join(folder, artifacts, ".store", "runs", id, "run.json"), "utf8"));
  const trainings = stages.filter(({ stageType, outcome }) => stageType === "train" && outcome === "ran");
  return {
    ms,
    cpuMs,
    epochs: trainings.reduce((sum, { measurements }) => sum + measurements.epochsTrained, 0),
    trainMs: trainings.reduce((sum, { durationMs }) => sum + durationMs, 0),
  };
}

/** What processes that have ended took of the processors, which other work on the machine moves little. Linux alone tells. */
function childrenCpuMs() {
  try {
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return 10 * (Number(fields[13]) + Number(fields[14]));
  } catch {
    return Number.NaN;
  }
}

function pipe(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "dist", "pipe.js"), ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`pipe ${args.join(" ")} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout;
}

function print(sweep, alone) {
  const seconds = (ms) => (ms / 1000).toFixed(1);
  const part = (name) => `${((100 * sweep[name]) / alone[name]).toFixed(0)} %`;
  const rows = [
    ["epochs trained", alone.epochs, sweep.epochs, part("epochs")],
    ["seconds of the train stages", seconds(alone.trainMs), seconds(sweep.trainMs), part("trainMs")],
    ["seconds of processors in all", seconds(alone.cpuMs), seconds(sweep.cpuMs), part("cpuMs")],
    ["seconds in all", seconds(alone.ms), seconds(sweep.ms), part("ms")],
  ];
  console.log(
    `${MILESTONES.length * SEEDS.length} trainings of ${epochs} epochs, milestones ${MILESTONES.join(", ")}, ${flags.engine}`,
  );
  console.log("\n| | each alone | as a sweep | |\n| --- | ---: | ---: | ---: |");
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}
