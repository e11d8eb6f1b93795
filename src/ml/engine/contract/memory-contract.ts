/** What every engine's handles must do: who owns what, what is copied, what is never touched, and the same bits twice. */
import type { Engine, TensorArray } from "../engine.ts";
import { checkEqual } from "./check.ts";
import { type ContractCase, casesOf, drawn, drawnBetween } from "./workbench.ts";

export interface MemoryOptions {
  /** Whether variables hold nothing that float32 cannot, so that a checkpoint loses nothing. False for references only. */
  readonly keepsFloat32: boolean;
  /** What the library underneath holds by its own count: grows when an engine loses a handle that it does not count. */
  readonly heldUnderneath?: (() => number) | undefined;
}

const ROUND_TRIPS: readonly (readonly [dtype: string, data: TensorArray, shape: readonly number[]])[] = [
  ["float32", Float32Array.of(1.5, -2, 3e-30, 4e30, 0, -1), [2, 3]],
  ["int32", Int32Array.of(1, -2, 2147483647, -2147483648), [4]],
  ["uint8", Uint8Array.of(0, 1, 127, 128, 255, 3), [1, 1, 2, 3]],
  ["float32", Float32Array.of(7), []],
];

export function memoryCases({ keepsFloat32, heldUnderneath }: MemoryOptions): readonly ContractCase[] {
  return casesOf("memory", (add) => {
    for (const [dtype, data, shape] of ROUND_TRIPS)
      add(`${dtype} values of shape [${shape}] come back as they went`, async ({ engine }) => {
        const tensor = engine.upload(data, shape);
        checkEqual(tensor.dtype, dtype, "dtype");
        checkEqual(tensor.shape, shape, "shape");
        checkEqual(await engine.download(tensor), data, "the bits");
        engine.dispose(tensor);
      });

    add("what is uploaded, assigned and downloaded are copies", async (bench) => {
      const { engine } = bench;
      const data = Float32Array.of(1, 2, 3);
      const tensor = bench.keep(engine.upload(data, [3]));
      const variable = bench.variable({ shape: [3], data: Float64Array.from(data) });
      engine.assign(variable, data);
      const pixels = Uint8Array.of(1, 2, 3);
      const labels = Int32Array.of(1, 2, 3);
      const [images, indices] = [bench.keep(engine.upload(pixels, [3])), bench.keep(engine.upload(labels, [3]))];
      for (const array of [data, pixels, labels]) array.fill(9);
      for (const handle of [images, indices]) (await engine.download(handle)).fill(8);
      checkEqual(await engine.download(images), Uint8Array.of(1, 2, 3), "the bits");
      checkEqual(await engine.download(indices), Int32Array.of(1, 2, 3), "the bits");
      (await engine.download(tensor)).fill(8);
      (await engine.download(variable)).fill(8);
      checkEqual(await engine.download(tensor), Float32Array.of(1, 2, 3), "the bits");
      checkEqual(await engine.download(variable), Float32Array.of(1, 2, 3), "the bits");
    });

    add("a part of a larger buffer uploads as that part", async (bench) => {
      const tensor = bench.keep(bench.engine.upload(Float32Array.of(0, 1, 2, 3).subarray(1, 3), [2]));
      checkEqual(await bench.engine.download(tensor), Float32Array.of(1, 2), "the bits");
      const bytes = bench.keep(bench.engine.upload(Uint8Array.of(5, 6, 7, 8).subarray(1), [3]));
      checkEqual(await bench.engine.download(bytes), Uint8Array.of(6, 7, 8), "the bits");
    });

    add("live tensors are counted, variables are not, and undefined may be freed", async ({ engine }) => {
      const before = engine.liveTensors();
      const variable = engine.variable(Float32Array.of(1), [1]);
      checkEqual(engine.liveTensors() - before, 0, "live tensors");
      const tensor = engine.upload(Float32Array.of(1), [1]);
      checkEqual(engine.liveTensors() - before, 1, "live tensors");
      engine.dispose(undefined, tensor, undefined);
      checkEqual(engine.liveTensors() - before, 0, "live tensors");
      engine.disposeVariable(variable);
    });

    add("no op changes its arguments", async (bench) => {
      const { engine } = bench;
      const [x, dy] = [drawn("x", 2, 6, 6, 4), drawn("dy", 2, 6, 6, 4)];
      const [xs, dys] = [bench.tensor(x), bench.tensor(dy)];
      const filter = bench.variable(drawn("filter", 3, 3, 4, 4));
      const [scale, shift] = [bench.variable(drawn("scale", 4)), bench.variable(drawn("shift", 4))];
      const pool = { size: 3, stride: 1, padding: 1 };
      const conv = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      const y = bench.keep(engine.relu(xs));
      bench.keep(engine.reluGradient(dys, y));
      bench.keep(engine.conv2d(xs, filter, conv));
      const { dx, dfilter } = engine.conv2dGradient(dys, xs, filter, conv, true);
      engine.dispose(dx, dfilter);
      const pooled = bench.keep(engine.maxPool(xs, pool));
      bench.keep(engine.maxPoolGradient(dys, xs, pooled, pool));
      const { y: normed, saved } = engine.groupNorm(xs, scale, shift, 2, 1e-5);
      bench.keep(normed);
      const gradient = engine.groupNormGradient(dys, xs, scale, saved);
      engine.dispose(gradient.dx, gradient.dscale, gradient.dshift);
      engine.disposeSaved(saved);
      bench.keep(engine.add(xs, dys));
      bench.keep(engine.multiply(xs, dys));
      bench.keep(engine.adaptiveAveragePool(xs, 2));
      const logits = bench.tensor(drawn("logits", 3, 4));
      const { loss, dlogits } = engine.softmaxCrossEntropy(
        logits,
        bench.keep(engine.upload(Int32Array.of(0, 1, 2), [3])),
      );
      engine.dispose(loss, dlogits);
      await bench.expect(xs, x, "x");
      await bench.expect(dys, dy, "dy");
      await bench.expect(filter, drawn("filter", 3, 3, 4, 4), "filter");
      await bench.expect(scale, drawn("scale", 4), "scale");
      await bench.expect(logits, drawn("logits", 3, 4), "logits");
    });

    if (heldUnderneath !== undefined)
      add(
        "once its constants are made, a training step leaves nothing behind in the library underneath",
        async ({ engine }) => {
          await trainTwoSteps(engine);
          const before = heldUnderneath();
          for (let i = 0; i < 3; i++) await trainTwoSteps(engine);
          checkEqual(heldUnderneath(), before, "held by the library");
        },
      );

    add("the same steps twice give the same bits", async ({ engine }) => {
      checkEqual(await trainTwoSteps(engine), await trainTwoSteps(engine), "the bits");
    });

    if (keepsFloat32)
      add("state that went through float32 and back goes on with the same bits", async ({ engine }) => {
        const variable = engine.variable(Float32Array.from(drawn("weight", 64).data), [64]);
        const slot = engine.variable(new Float32Array(64), [64]);
        const gradient = engine.upload(Float32Array.from(drawnBetween(-0.1, 0.1, "gradient", 64).data), [64]);
        const settings = { learningRate: 0.03, momentum: 0.9, weightDecay: 1e-4, nesterov: false };
        engine.sgdUpdate(variable, gradient, slot, settings);
        const weightAfterOne = (await engine.download(variable)) as Float32Array;
        const slotAfterOne = (await engine.download(slot)) as Float32Array;
        engine.sgdUpdate(variable, gradient, slot, settings);
        const uninterrupted = await engine.download(variable);
        engine.assign(variable, weightAfterOne);
        engine.assign(slot, slotAfterOne);
        engine.sgdUpdate(variable, gradient, slot, settings);
        checkEqual(await engine.download(variable), uninterrupted, "the bits");
        engine.dispose(gradient);
        engine.disposeVariable(variable);
        engine.disposeVariable(slot);
      });
  });
}

/** Convolution, batch normalisation, rectifier, pooling, dense, loss and update, forward and back, twice. */
async function trainTwoSteps(engine: Engine): Promise<TensorArray[]> {
  const float32 = (name: string, ...shape: number[]) =>
    engine.variable(Float32Array.from(drawn(name, ...shape).data), shape);
  const [filter, weight, bias] = [
    float32("filter", 3, 3, 8, 16),
    float32("dense", 16, 10),
    float32("bias", 10),
  ] as const;
  const norm = {
    scale: float32("scale", 16),
    shift: float32("shift", 16),
    runningMean: float32("mean", 16),
    runningVariance: engine.variable(new Float32Array(16).fill(1), [16]),
  };
  const variables = [filter, weight, bias, ...Object.values(norm)];
  const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
  const settings = { learningRate: 0.1, momentum: 0, weightDecay: 0.01, nesterov: false };
  for (const batch of ["one", "two"]) {
    const x = engine.upload(Float32Array.from(drawn(batch, 8, 12, 12, 8).data), [8, 12, 12, 8]);
    const labels = engine.upload(Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7), [8]);
    const convolved = engine.conv2d(x, filter, geometry);
    const { y: normed, saved } = engine.batchNormTrain(convolved, norm, 0.1, 1e-5);
    const rectified = engine.relu(normed);
    const pooled = engine.adaptiveAveragePool(rectified, 1);
    const flat = engine.reshape(pooled, [8, 16]);
    const logits = engine.dense(flat, weight, bias);
    const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
    const dense = engine.denseGradient(dlogits, flat, weight);
    const dflat = engine.reshape(dense.dx, [8, 1, 1, 16]);
    const dpooled = engine.adaptiveAveragePoolGradient(dflat, [8, 12, 12, 16]);
    const dnormed = engine.reluGradient(dpooled, rectified);
    const dnorm = engine.batchNormGradient(dnormed, convolved, norm, saved);
    const dconv = engine.conv2dGradient(dnorm.dx, x, filter, geometry, true);
    engine.sgdUpdate(filter, dconv.dfilter, undefined, settings);
    engine.sgdUpdate(norm.scale, dnorm.dscale, undefined, settings);
    engine.sgdUpdate(norm.shift, dnorm.dshift, undefined, settings);
    engine.sgdUpdate(weight, dense.dweight, undefined, settings);
    engine.sgdUpdate(bias, dense.dbias, undefined, settings);
    engine.disposeSaved(saved);
    engine.dispose(
      x,
      labels,
      convolved,
      normed,
      rectified,
      pooled,
      flat,
      logits,
      loss,
      dlogits,
      dflat,
      dpooled,
      dnormed,
    );
    engine.dispose(dense.dx, dense.dweight, dense.dbias, dnorm.dx, dnorm.dscale, dnorm.dshift, dconv.dx, dconv.dfilter);
  }
  const bits = await Promise.all(variables.map((variable) => engine.download(variable)));
  for (const variable of variables) engine.disposeVariable(variable);
  return bits;
}
