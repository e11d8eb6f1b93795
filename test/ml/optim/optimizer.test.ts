import { describe, expect, test } from "vitest";
import { createReferenceEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Parameter } from "../../../src/ml/nn/network.ts";
import { createOptimizer } from "../../../src/ml/optim/optimizer.ts";
import type { OptimizerSettings } from "../../../src/ml/optim/optimizer-settings.ts";

const sgd: OptimizerSettings = {
  type: "sgd",
  learningRate: 0.1,
  momentum: 0.9,
  dampening: 0,
  nesterov: false,
  weightDecay: 0,
  weightDecayOn: "all",
};
const adam: OptimizerSettings = {
  type: "adam",
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  weightDecayOn: "all",
};

function setUp(settings: OptimizerSettings) {
  const engine = createReferenceEngine();
  const make = (name: string, role: Parameter["role"], shape: number[]): Parameter => ({
    name,
    role,
    variable: engine.variable(new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape),
  });
  const parameters = [make("conv.weight", "weight", [1, 1, 2, 1]), make("bn.weight", "norm", [2])] as const;
  const optimizer = createOptimizer(engine, parameters, settings);
  const update = (parameter: Parameter, values: number[], step = 1) => {
    const gradient = engine.upload(Float64Array.from(values), parameter.variable.shape);
    optimizer.update(parameter, gradient, { learningRate: settings.learningRate, step });
    engine.dispose(gradient);
  };
  return { engine, parameters, optimizer, update };
}

describe("an optimiser's state", () => {
  test("is named after parameters, in their order and shape", async () => {
    const { optimizer, update, parameters } = setUp(sgd);
    update(parameters[0], [1, 2]);
    const state = await optimizer.stateDict();
    expect(Object.keys(state)).toEqual(["conv.weight.momentum", "bn.weight.momentum"]);
    expect(state["conv.weight.momentum"]).toEqual({ dtype: "F32", shape: [1, 1, 2, 1], data: Float32Array.of(1, 2) });
    expect(Object.keys(await setUp(adam).optimizer.stateDict())).toEqual([
      "conv.weight.firstMoment",
      "conv.weight.secondMoment",
      "bn.weight.firstMoment",
      "bn.weight.secondMoment",
    ]);
    expect(await setUp({ ...sgd, momentum: 0 }).optimizer.stateDict()).toEqual({});
  });

  test("comes back as it was", async () => {
    const first = setUp(adam);
    first.update(first.parameters[0], [0.5, -3]);
    const state = await first.optimizer.stateDict();
    const second = setUp(adam);
    second.optimizer.loadStateDict(state);
    expect(await second.optimizer.stateDict()).toEqual(state);
  });

  test("of another optimiser or model is refused with every reason, and changes nothing", async () => {
    const { optimizer } = setUp(sgd);
    const state = await optimizer.stateDict();
    const data = new Float32Array(3);
    const wrong = {
      "bn.weight.momentum": { dtype: "F32" as const, shape: [3], data },
      other: state["bn.weight.momentum"]!,
    };
    expect(() => optimizer.loadStateDict(wrong)).toThrow(
      "this is not the state of this optimiser: conv.weight.momentum is missing; bn.weight.momentum is F32 [3], not F32 [2]; other is unexpected",
    );
    expect(await optimizer.stateDict()).toEqual(state);
  });
});

test("weightDecayOn: weights leaves norms and biases alone", () => {
  const { engine, parameters, update } = setUp({ ...sgd, momentum: 0, weightDecay: 0.5, weightDecayOn: "weights" });
  update(parameters[0], [0, 0]);
  update(parameters[1], [0, 0]);
  expect([...engine.downloadFloat64(parameters[0].variable)]).toEqual([0.95, 0.95]);
  expect([...engine.downloadFloat64(parameters[1].variable)]).toEqual([1, 1]);
});
