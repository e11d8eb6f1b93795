import { describe, expect, test } from "vitest";
import { createReferenceEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Parameter } from "../../../src/ml/nn/network.ts";
import { createGradientSink, GradientNotFinite, type GradientSettings } from "../../../src/ml/optim/gradient-sink.ts";
import { createOptimizer } from "../../../src/ml/optim/optimizer.ts";
import type { OptimizerSettings } from "../../../src/ml/optim/optimizer-settings.ts";

const decay = { learningRate: 1, weightDecay: 0, weightDecayOn: "all" } as const;
const sgd: OptimizerSettings = { ...decay, type: "sgd", momentum: 0, dampening: 0, nesterov: false };
const lars: OptimizerSettings = { ...decay, type: "lars", momentum: 0, trustCoefficient: 0.5, epsilon: 0 };

function setUp(gradients: GradientSettings, settings = sgd) {
  const engine = createReferenceEngine();
  const make = (name: string, role: Parameter["role"]): Parameter => ({
    name,
    role,
    variable: engine.variable(Float64Array.of(3, 4), [2]),
  });
  const [weight, bias] = [make("weight", "weight"), make("bias", "bias")];
  const sink = createGradientSink(engine, createOptimizer(engine, [weight, bias], settings), gradients);
  const position = (ends: boolean) => ({ step: 1, ends, learningRate: 1 });
  return {
    engine,
    sink,
    position,
    take(which: "weight" | "bias", values: number[], ends = true) {
      const gradient = engine.upload(Float64Array.from(values), [2]);
      sink.take(which === "weight" ? weight : bias, gradient, position(ends));
      engine.dispose(gradient);
    },
    values: (which: "weight" | "bias") => [...engine.downloadFloat64((which === "weight" ? weight : bias).variable)],
  };
}

describe("gradients are used at once and none is held", () => {
  test.each<[string, GradientSettings]>([
    ["by default", {}],
    ["with a single minibatch a step", { accumulateSteps: 1 }],
    ["with clipped values", { clipGradient: { value: 10 } }],
  ])("%s", (_, settings) => {
    const { engine, take, values } = setUp(settings);
    take("weight", [1, -1]);
    expect(values("weight")).toEqual([2, 5]);
    expect(engine.liveTensors()).toBe(0);
  });
});

test("under LARS only weights wait for their norms", async () => {
  const { engine, sink, take, values, position } = setUp({}, lars);
  take("weight", [0, 10]);
  take("bias", [1, 1]);
  expect(values("weight")).toEqual([3, 4]);
  expect(values("bias")).toEqual([2, 3]);
  await sink.finishMinibatch(position(true));
  // Half the weight's norm of 5, in the gradient's direction.
  expect(values("weight")).toEqual([3, 1.5]);
  expect(engine.liveTensors()).toBe(0);
});

test("accumulated minibatches move nothing until the step ends, then by their mean", async () => {
  const { engine, sink, take, values, position } = setUp({ accumulateSteps: 4 });
  for (const [first, ends] of [
    [1, false],
    [2, false],
    [6, true],
  ] as const) {
    expect(values("weight")).toEqual([3, 4]);
    take("weight", [first, 0], ends);
    await sink.finishMinibatch(position(ends));
  }
  expect(values("weight")).toEqual([0, 4]);
  expect(engine.liveTensors()).toBe(0);
});

test("values are clipped after the mean is taken", async () => {
  const { sink, take, values, position } = setUp({ accumulateSteps: 2, clipGradient: { value: 1 } });
  take("weight", [10, 1], false);
  await sink.finishMinibatch(position(false));
  take("weight", [-10, 5], true);
  await sink.finishMinibatch(position(true));
  expect(values("weight")).toEqual([3, 3]);
});

describe("a gradient that is not finite", () => {
  test.each<[string, GradientSettings, OptimizerSettings]>([
    ["under a clipped norm", { clipGradient: { norm: 1 } }, sgd],
    ["under LARS", {}, lars],
  ])("%s is named, and no weight moves", async (_, settings, optimizer) => {
    const { engine, sink, take, values, position } = setUp(settings, optimizer);
    take("weight", [Number.NaN, 0]);
    const error = await sink.finishMinibatch(position(true)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GradientNotFinite);
    expect((error as GradientNotFinite).parameter).toBe("weight");
    expect(values("weight")).toEqual([3, 4]);
    expect(engine.liveTensors()).toBe(0);
  });
});

test("closing frees what a minibatch left", async () => {
  const { engine, sink, take, position } = setUp({ accumulateSteps: 2 });
  take("weight", [1, 1], false);
  await sink.finishMinibatch(position(false));
  expect(engine.liveTensors()).toBe(1);
  sink.close();
  expect(engine.liveTensors()).toBe(0);
});
