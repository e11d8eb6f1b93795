/**
 * Asks an engine, before it is trusted with hours of work, to train one tiny network for a few steps, and compares with
 * numbers computed in double precision. Takes milliseconds. It catches a library that computes wrongly on this machine
 * (wrong kernels, wrong padding, wrong running statistics); that every op is right in every case is the contract suite's.
 *
 * `test/ml/engine/self-test.test.ts` computes EXPECTED again, from a plain forward pass in double precision and its
 * finite differences.
 */
import type { Engine, Tensor, Variable } from "./engine.ts";

export type SelfTestResult =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly problem: string };

export const SELF_TEST = {
  images: [4, 10, 10, 3],
  classes: 3,
  mean: [0.5, 0.45, 0.4],
  std: [0.25, 0.2, 0.3],
  settings: { learningRate: 0.2, momentum: 0.9, weightDecay: 0.1, nesterov: false },
  batchNorm: { momentum: 0.1, epsilon: 1e-5 },
  stem: { stride: 2, padding: 1, dilation: 1, groups: 1 },
  pool: { size: 3, stride: 2, padding: 1 },
  grouped: { stride: 1, padding: 1, dilation: 1, groups: 2 },
  shapes: {
    stem: [3, 3, 3, 4],
    scale: [4],
    shift: [4],
    grouped: [3, 3, 2, 4],
    weight: [4, 3],
    bias: [3],
  },
} as const;

/** Losses before each step, and the first running mean and variance after the last one. */
export const EXPECTED = {
  losses: [1.2815387492, 1.1523036501, 1.0537898035],
  runningMean: 0.0357399459,
  runningVariance: 1.5206606312,
} as const;

/**
 * float32 kernels differ from double precision by about 1e-6 here, and products of bfloat16, which round to 8 bits and sum
 * in float32, by 6e-4; a wrong op by far more than this.
 */
const TOLERANCES = { float32: 1e-4, bfloat16: 5e-3 } as const;

/** Element i of the tensor that is called `name`: in [-0.5, 0.5), of no pattern that a convolution could hide. */
export function selfTestNumber(name: string, i: number): number {
  let hash = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(name.length, 0x85ebca6b) ^ (name.charCodeAt(0) << 13);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 8) / 0x1000000 - 0.5;
}

export async function selfTest(engine: Engine): Promise<SelfTestResult> {
  const begun = performance.now();
  const live = engine.liveTensors();
  try {
    const found = await trainTinyNetwork(engine);
    const compared: [string, number, number][] = [
      ...EXPECTED.losses.map((loss, step): [string, number, number] => [
        `loss of step ${step + 1}`,
        found.losses[step]!,
        loss,
      ]),
      ["running mean", found.runningMean, EXPECTED.runningMean],
      ["running variance", found.runningVariance, EXPECTED.runningVariance],
    ];
    const wrong = compared.find(
      ([, actual, expected]) => !(Math.abs(actual - expected) <= TOLERANCES[engine.precision]),
    );
    if (wrong !== undefined) {
      const [what, actual, expected] = wrong;
      return {
        ok: false,
        problem: `${engine.version} computes wrongly here: the ${what} is ${actual} instead of ${expected}`,
      };
    }
    const leaked = engine.liveTensors() - live;
    if (leaked !== 0)
      return { ok: false, problem: `the ${engine.name} engine kept ${leaked} tensors that were disposed` };
    return { ok: true, ms: performance.now() - begun };
  } catch (error) {
    return {
      ok: false,
      problem: `the ${engine.name} engine failed: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

async function trainTinyNetwork(engine: Engine) {
  const { shapes, settings } = SELF_TEST;
  const drawn = (name: string, count: number) =>
    Float32Array.from({ length: count }, (_, i) => selfTestNumber(name, i));
  const make = (name: keyof typeof shapes, first = 0) =>
    engine.variable(
      drawn(name, size(shapes[name])).map((value) => value + first),
      shapes[name],
    );
  const zeros = (like: Variable) => engine.variable(new Float32Array(size(like.shape)), like.shape);

  const norm = {
    scale: make("scale", 1),
    shift: make("shift"),
    runningMean: engine.variable(new Float32Array(4), [4]),
    runningVariance: engine.variable(new Float32Array(4).fill(1), [4]),
  };
  const stem = make("stem");
  const grouped = make("grouped");
  const weight = make("weight");
  const bias = make("bias");
  const weights = [stem, norm.scale, norm.shift, grouped, weight, bias];
  const slots = weights.map(zeros);
  const images = engine.upload(
    Uint8Array.from({ length: size(SELF_TEST.images) }, (_, i) =>
      Math.floor((selfTestNumber("images", i) + 0.5) * 256),
    ),
    SELF_TEST.images,
  );
  const labels = engine.upload(Int32Array.of(0, 1, 2, 1), [4]);

  const losses: number[] = [];
  for (let step = 0; step < EXPECTED.losses.length; step++) {
    // Forward.
    const x = engine.normalizeImages(images, SELF_TEST.mean, SELF_TEST.std);
    const convolved = engine.conv2d(x, stem, SELF_TEST.stem);
    const { y: normed, saved } = engine.batchNormTrain(
      convolved,
      norm,
      SELF_TEST.batchNorm.momentum,
      SELF_TEST.batchNorm.epsilon,
    );
    const active = engine.relu(normed);
    const pooled = engine.maxPool(active, SELF_TEST.pool);
    const branch = engine.conv2d(pooled, grouped, SELF_TEST.grouped);
    const sum = engine.add(branch, pooled);
    const cell = engine.adaptiveAveragePool(sum, 1);
    const features = engine.reshape(cell, [4, 4]);
    const logits = engine.dense(features, weight, bias);
    const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
    losses.push((await engine.download(loss))[0]!);

    // Backward.
    const ddense = engine.denseGradient(dlogits, features, weight);
    const dcell = engine.reshape(ddense.dx, cell.shape);
    const dsum = engine.adaptiveAveragePoolGradient(dcell, sum.shape);
    const dgrouped = engine.conv2dGradient(dsum, pooled, grouped, SELF_TEST.grouped, true);
    const dpooled = engine.add(dsum, dgrouped.dx!);
    const dactive = engine.maxPoolGradient(dpooled, active, pooled, SELF_TEST.pool);
    const dnormed = engine.reluGradient(dactive, active);
    const dnorm = engine.batchNormGradient(dnormed, convolved, norm, saved);
    const dstem = engine.conv2dGradient(dnorm.dx, x, stem, SELF_TEST.stem, false);

    const gradients: Tensor[] = [
      dstem.dfilter,
      dnorm.dscale,
      dnorm.dshift,
      dgrouped.dfilter,
      ddense.dweight,
      ddense.dbias,
    ];
    for (const [i, gradient] of gradients.entries()) engine.sgdUpdate(weights[i]!, gradient, slots[i]!, settings);

    engine.disposeSaved(saved);
    engine.dispose(
      x,
      convolved,
      normed,
      active,
      pooled,
      branch,
      sum,
      cell,
      features,
      logits,
      loss,
      dlogits,
      ...gradients,
    );
    engine.dispose(ddense.dx, dcell, dsum, dgrouped.dx, dpooled, dactive, dnormed, dnorm.dx);
  }
  const runningMean = (await engine.download(norm.runningMean))[0]!;
  const runningVariance = (await engine.download(norm.runningVariance))[0]!;
  engine.dispose(images, labels);
  for (const variable of [...weights, ...slots, norm.runningMean, norm.runningVariance])
    engine.disposeVariable(variable);
  return { losses, runningMean, runningVariance };
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
