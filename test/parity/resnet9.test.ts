/** ResNet-9, which torchvision does not have, against the same modules in PyTorch's double precision (make_resnet9.py). */
import { afterAll, describe, expect, test } from "vitest";
import { resolveEngine } from "../../src/ml/engine/catalogue.ts";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine } from "../../src/ml/engine/engine.ts";
import { createEngine, nativeEnvironment } from "../../src/ml/engine/native/native-engine.ts";
import { countParameters, stateEntries } from "../../src/ml/nn/state-entry.ts";
import {
  describeReference,
  evalLogits,
  type Filled,
  fillDoubles,
  fillNetwork,
  type ModelReference,
  relativeError,
  sgdLosses,
  trainingFigures,
} from "./model-case.ts";
import file from "./reference/resnet9.json" with { type: "json" };

const reference: ModelReference = file;
const description = describeReference(reference);

/** Relative, each in its own list's scale. */
interface Tolerances {
  readonly values: number;
  readonly gradient: number;
}

async function expectEqual(filled: Filled, { values, gradient }: Tolerances): Promise<void> {
  expect(relativeError(await evalLogits(filled, reference), reference.eval_logits.flat())).toBeLessThan(values);
  const figures = await trainingFigures(filled, reference);
  expect(relativeError(figures.logits, reference.train_logits!.flat())).toBeLessThan(values);
  expect(relativeError([figures.loss], [reference.train_loss!])).toBeLessThan(values);
  expect(figures.running.size).toBe(16);
  for (const [name, running] of figures.running)
    expect(relativeError(running, reference.running_after![name]!), name).toBeLessThan(values);
  expect([...figures.gradientNorms.keys()].sort()).toEqual(Object.keys(reference.gradient_l2!).sort());
  for (const [name, norm] of figures.gradientNorms)
    expect(relativeError([norm], [reference.gradient_l2![name]!]), name).toBeLessThan(gradient);
  const { losses: expected } = reference.sgd!;
  for (const [step, loss] of (await sgdLosses(filled, reference, expected.length)).entries())
    expect(relativeError([loss], [expected[step]!]), `step ${step}`).toBeLessThan(gradient);
}

test("has the parameters of the PyTorch modules: names, shapes, order and count", () => {
  const trainable = stateEntries(description.layers).filter((entry) => entry.role !== "buffer");
  expect(trainable.map(({ name, shape }) => ({ name, shape }))).toEqual(reference.parameters);
  expect(countParameters(description.layers)).toBe(reference.parameter_count);
});

test("trains to PyTorch's numbers in double precision", async () => {
  const engine = createReferenceEngine();
  const filled = fillDoubles(engine, description);
  // Both sides are double: only the order of sums differs.
  await expectEqual(filled, { values: 1e-9, gradient: 1e-9 });
  filled.network.close();
  expect(engine.liveTensors()).toBe(0);
});

const found = resolveEngine("native");
describe.skipIf(!("folder" in found))("on the native engine", () => {
  const threads = 2;
  let engine: Engine | undefined;
  afterAll(() => engine?.close());

  // Float32 rounds each of eleven layers' sums: 1e-6 of a list's scale forward. Two images make the last norms average 32
  // values, so a rounding grows on its way back.
  test("trains to PyTorch's numbers in float32", async () => {
    if (!("folder" in found)) return;
    Object.assign(process.env, nativeEnvironment(threads));
    engine = await createEngine({ threads, precision: "float32", folder: found.folder });
    const filled = fillNetwork(engine, description);
    await expectEqual(filled, { values: 1e-5, gradient: 1e-3 });
    filled.network.close();
    expect(engine.liveTensors()).toBe(0);
  });
});
