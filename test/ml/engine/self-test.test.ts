import { expect, test } from "vitest";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine } from "../../../src/ml/engine/engine.ts";
import { EXPECTED, SELF_TEST, selfTest, selfTestNumber } from "../../../src/ml/engine/self-test.ts";

const cpu = (): Promise<Engine> => createEngine({ threads: 1, precision: "float32", folder: "" });

test("an engine that computes rightly passes its self-test, and is left as it was", async () => {
  const engine = await cpu();
  expect(await selfTest(engine)).toEqual({ ok: true, ms: expect.any(Number) });
  expect(engine.liveTensors()).toBe(0);
});

test.each<[string, (engine: Engine) => Partial<Engine>, RegExp]>([
  [
    "takes other pixels where it strides",
    (engine) => ({
      conv2d: (x, filter, geometry) =>
        engine.conv2d(x, filter, geometry.stride === 2 ? { ...geometry, dilation: 2, padding: 2 } : geometry),
    }),
    /loss of step 1 is .* instead of/,
  ],
  [
    "forgets weight decay",
    (engine) => ({
      sgdUpdate: (weight, gradient, slot, settings) =>
        engine.sgdUpdate(weight, gradient, slot, { ...settings, weightDecay: 0 }),
    }),
    /(loss of step 2|running variance) is .* instead of/,
  ],
  [
    "keeps running statistics by another momentum",
    (engine) => ({
      batchNormTrain: (x, parameters, _momentum, epsilon) => engine.batchNormTrain(x, parameters, 0.2, epsilon),
    }),
    /running mean is .* instead of/,
  ],
  ["computes NaN", (engine) => ({ relu: (x) => engine.multiply(x, nan(engine, x.shape)) }), /loss of step 1 is NaN/],
])("an engine that %s does not, in either precision", async (_, wrong, problem) => {
  for (const precision of ["float32", "bfloat16"] as const) {
    const engine = await cpu();
    const result = await selfTest({ ...engine, precision, ...wrong(engine) } as Engine);
    expect(result).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  }
});

function nan(engine: Engine, shape: readonly number[]) {
  return engine.upload(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(Number.NaN), shape);
}

/**
 * The self-test's network once more, written down as plainly as it goes: a forward pass in double precision, and its
 * gradient by central differences, so that nothing here repeats a reverse pass that could share an engine's mistake.
 */
type Weights = Record<keyof typeof SELF_TEST.shapes, number[]>;

test("the self-test's stored numbers are those of double precision", () => {
  const weights = Object.fromEntries(
    Object.entries(SELF_TEST.shapes).map(([name, shape]) => [
      name,
      draw(
        name,
        shape.reduce((a, b) => a * b, 1),
      ).map((value) => Math.fround(value + (name === "scale" ? 1 : 0))),
    ]),
  ) as Weights;
  const slots = Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, values.map(() => 0)]),
  ) as Weights;
  const running = { mean: 0, variance: 1 };
  const losses: number[] = [];
  for (let step = 0; step < EXPECTED.losses.length; step++) {
    losses.push(forward(weights, running));
    const gradients = differentiate(weights);
    for (const name of Object.keys(weights) as (keyof Weights)[]) {
      const { learningRate, momentum, weightDecay } = SELF_TEST.settings;
      weights[name].forEach((value, i) => {
        slots[name][i] = momentum * slots[name][i]! + gradients[name][i]! + weightDecay * value;
        weights[name][i] = value - learningRate * slots[name][i]!;
      });
    }
  }
  const found = { losses, runningMean: running.mean, runningVariance: running.variance };
  expect(found.losses).toEqual(EXPECTED.losses.map((loss) => expect.closeTo(loss, 6)));
  expect(found.runningMean).toBeCloseTo(EXPECTED.runningMean, 6);
  expect(found.runningVariance).toBeCloseTo(EXPECTED.runningVariance, 6);
});

function draw(name: string, count: number): number[] {
  return Array.from({ length: count }, (_, i) => selfTestNumber(name, i));
}

function differentiate(weights: Weights): Weights {
  const h = 1e-5;
  const one = (values: number[], i: number): number => {
    const kept = values[i]!;
    values[i] = kept + h;
    const above = forward(weights);
    values[i] = kept - h;
    const below = forward(weights);
    values[i] = kept;
    return (above - below) / (2 * h);
  };
  return Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, values.map((_, i) => one(values, i))]),
  ) as Weights;
}

/** The loss; moves channel 0's running statistics where they are given. */
function forward(weights: Weights, running?: { mean: number; variance: number }): number {
  const [n, h, w, c] = SELF_TEST.images;
  const pixels = draw("images", n * h * w * c).map((value, i) => {
    const channel = i % c;
    return (Math.floor((value + 0.5) * 256) / 255 - SELF_TEST.mean[channel]!) / SELF_TEST.std[channel]!;
  });
  const stem = convolve(pixels, [n, h, w, c], weights.stem, SELF_TEST.shapes.stem, SELF_TEST.stem);

  const channels = stem.shape[3];
  const count = stem.values.length / channels;
  const statistics = Array.from({ length: channels }, (_, channel) => {
    const mine = stem.values.filter((_, i) => i % channels === channel);
    const mean = mine.reduce((a, b) => a + b, 0) / count;
    return { mean, variance: mine.reduce((a, b) => a + (b - mean) ** 2, 0) / count };
  });
  if (running !== undefined) {
    const { momentum } = SELF_TEST.batchNorm;
    running.mean += momentum * (statistics[0]!.mean - running.mean);
    running.variance += momentum * ((statistics[0]!.variance * count) / (count - 1) - running.variance);
  }
  const active = stem.values.map((value, i) => {
    const { mean, variance } = statistics[i % channels]!;
    const normed = (value - mean) / Math.sqrt(variance + SELF_TEST.batchNorm.epsilon);
    return Math.max(0, normed * weights.scale[i % channels]! + weights.shift[i % channels]!);
  });

  const pooled = pool(active, stem.shape);
  const branch = convolve(pooled.values, pooled.shape, weights.grouped, SELF_TEST.shapes.grouped, SELF_TEST.grouped);
  const area = pooled.shape[1] * pooled.shape[2];
  let loss = 0;
  for (let image = 0; image < n; image++) {
    const features = Array.from({ length: channels }, (_, channel) => {
      let sum = 0;
      for (let i = 0; i < area; i++) {
        const at = (image * area + i) * channels + channel;
        sum += branch.values[at]! + pooled.values[at]!;
      }
      return sum / area;
    });
    const logits = Array.from({ length: SELF_TEST.classes }, (_, k) =>
      features.reduce(
        (sum, value, channel) => sum + value * weights.weight[channel * SELF_TEST.classes + k]!,
        weights.bias[k]!,
      ),
    );
    const label = [0, 1, 2, 1][image]!;
    loss += (Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]!) / n;
  }
  return loss;
}

interface Images {
  readonly values: number[];
  readonly shape: readonly [number, number, number, number];
}

function convolve(
  x: number[],
  [n, h, w, c]: readonly [number, number, number, number],
  filter: number[],
  [kh, kw, share, outputs]: readonly [number, number, number, number],
  { stride, padding, groups }: { stride: number; padding: number; groups: number },
): Images {
  const oh = Math.floor((h + 2 * padding - kh) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - kw) / stride) + 1;
  const values: number[] = [];
  for (let image = 0; image < n; image++)
    for (let row = 0; row < oh; row++)
      for (let column = 0; column < ow; column++)
        for (let output = 0; output < outputs; output++) {
          const group = Math.floor(output / (outputs / groups));
          let sum = 0;
          for (let ky = 0; ky < kh; ky++)
            for (let kx = 0; kx < kw; kx++) {
              const y = row * stride - padding + ky;
              const at = column * stride - padding + kx;
              if (y < 0 || y >= h || at < 0 || at >= w) continue;
              for (let i = 0; i < share; i++) {
                const pixel = x[((image * h + y) * w + at) * c + group * share + i]!;
                sum += pixel * filter[((ky * kw + kx) * share + i) * outputs + output]!;
              }
            }
          values.push(sum);
        }
  return { values, shape: [n, oh, ow, outputs] };
}

function pool(x: number[], [n, h, w, c]: readonly [number, number, number, number]): Images {
  const { size, stride, padding } = SELF_TEST.pool;
  const oh = Math.floor((h + 2 * padding - size) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - size) / stride) + 1;
  const values: number[] = [];
  for (let image = 0; image < n; image++)
    for (let row = 0; row < oh; row++)
      for (let column = 0; column < ow; column++)
        for (let channel = 0; channel < c; channel++) {
          let best = Number.NEGATIVE_INFINITY;
          for (let ky = 0; ky < size; ky++)
            for (let kx = 0; kx < size; kx++) {
              const y = row * stride - padding + ky;
              const at = column * stride - padding + kx;
              if (y < 0 || y >= h || at < 0 || at >= w) continue;
              best = Math.max(best, x[((image * h + y) * w + at) * c + channel]!);
            }
          values.push(best);
        }
  return { values, shape: [n, oh, ow, c] };
}
