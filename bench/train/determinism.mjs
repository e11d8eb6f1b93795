/**
 * What it costs that a training comes to the same bits each time: a step as the native engine is started, and with one
 * thing otherwise. Rounds interleave, a process of each in turn; every process takes the same steps, so that the weights
 * that it ends with say whether the thing moves bits.
 *
 *   node bench/train/determinism.mjs [--case resnet34-32] [--rounds 4] [--steps 6]
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { CASES, DEFAULTS, PEERS } from "./cases.mjs";
import { createNetwork, createTraining, openEngine, repeatOneBatch } from "./peers/training.mjs";
import { importProduct } from "./places.mjs";

const WARMUP_STEPS = 2;
/** `environment`: what the process is started with instead. */
const VARIANTS = [
  { name: "as it is started", threads: DEFAULTS.threads, environment: {} },
  { name: "without deterministic ops", threads: DEFAULTS.threads, environment: { TF_DETERMINISTIC_OPS: "0" } },
  { name: "one thread", threads: 1, environment: {} },
  { name: "without oneDNN", threads: DEFAULTS.threads, environment: { TF_ENABLE_ONEDNN_OPTS: "0" } },
];

const { values: flags } = parseArgs({
  options: {
    case: { type: "string", default: "resnet34-32" },
    rounds: { type: "string", default: "4" },
    steps: { type: "string", default: "6" },
    threads: { type: "string" },
  },
});
const measured = CASES.find(({ name, kind }) => name === flags.case && kind === "step");
if (measured === undefined) throw new Error(`there is no case ${flags.case} of steps`);
const ml = flags.threads === undefined ? await bundled() : await importProduct();
if (flags.threads === undefined) report(rounds());
else await measure(Number(flags.threads));

async function bundled() {
  await (await import("./environment.mjs")).bundleProduct();
  return importProduct();
}

function rounds() {
  const runs = VARIANTS.map(() => []);
  for (let round = 0; round < Number(flags.rounds); round++)
    for (const [at, { name, threads, environment }] of VARIANTS.entries()) {
      const args = [process.argv[1], "--threads", String(threads), "--case", flags.case, "--steps", flags.steps];
      const env = { ...process.env, ...ml.nativeEnvironment(threads), ...environment };
      const run = JSON.parse(execFileSync(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] }));
      console.error(`round ${round + 1}, ${name}: ${(1000 * median(run.seconds)).toFixed(1)} ms a step`);
      runs[at].push(run);
    }
  return runs;
}

/** In a process of its own. The engine would refuse one that was not started as it wants, so it is shown what it wants. */
async function measure(threads) {
  process.env = { ...process.env, ...ml.nativeEnvironment(threads) };
  const engine = await openEngine(ml, threads, PEERS.tfpipe.settings);
  const network = createNetwork(ml, engine, measured.model);
  const batches = WARMUP_STEPS + Number(flags.steps);
  const { loader, ...scale } = repeatOneBatch(measured.batch, measured.size);
  const source = {
    ...scale,
    loader: {
      ...{ ...loader, batchesPerEpoch: batches, imagesPerEpoch: batches * measured.batch },
      async *epoch() {
        let given = 0;
        for await (const batch of loader.epoch()) {
          yield batch;
          if (++given === batches) return;
        }
      },
    },
  };
  const seconds = [];
  const processorSeconds = [];
  let [mark, before] = [performance.now(), process.cpuUsage()];
  const onStep = () => {
    const [now, used] = [performance.now(), process.cpuUsage(before)];
    seconds.push((now - mark) / 1000);
    processorSeconds.push((used.user + used.system) / 1e6);
    [mark, before] = [now, process.cpuUsage()];
  };
  const training = createTraining(ml, { engine, network, source, batch: measured.batch, onStep });
  const checkpoints = { ...training.checkpoints, mark: async () => {} };
  const { state } = await ml.trainModel({ ...training, checkpoints });
  const hash = createHash("sha256");
  for (const name of Object.keys(state).sort()) {
    const { buffer, byteOffset, byteLength } = state[name].data;
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  const timed = { seconds: seconds.slice(WARMUP_STEPS), processorSeconds: processorSeconds.slice(WARMUP_STEPS) };
  console.log(JSON.stringify({ ...timed, bits: hash.digest("hex"), version: engine.version }));
}

function report(runs) {
  const base = runs[0];
  console.log(`${measured.title}; ${base[0].version}; ${flags.rounds} rounds of ${flags.steps} steps\n`);
  console.log(
    "| | a step, median (best) | to the first row, median of rounds (of the best) | in processor time | weights |\n| --- | --- | --- | --- | --- |",
  );
  for (const [at, { name }] of VARIANTS.entries()) {
    const own = runs[at];
    const ratioOf = (times) =>
      median(own.map((run, round) => median(run[times]) / median(base[round][times]))).toFixed(2);
    const best = (some) => Math.min(...some.flatMap(({ seconds }) => seconds));
    const step = median(own.flatMap(({ seconds }) => seconds));
    const stays = own.every(({ bits }) => bits === own[0].bits) ? "" : ", another each time";
    const bits = own[0].bits === base[0].bits ? "the same" : "others";
    console.log(
      `| ${name} | ${(1000 * step).toFixed(0)} (${(1000 * best(own)).toFixed(0)}) ms | ${ratioOf("seconds")} (${(best(own) / best(base)).toFixed(2)}) | ${ratioOf("processorSeconds")} | ${bits}${stays} |`,
    );
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
