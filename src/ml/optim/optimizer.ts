/**
 * Optimisers: which slots a parameter has, and how one gradient moves it. The arithmetic is the engine's.
 *
 * The learning rate is an argument of every update and no part of the state, so a schedule changes it without touching
 * momentum (PyTorch's form). The state is the slots alone; the step count belongs to whoever counts steps.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { Engine, Tensor, Variable } from "../engine/engine.ts";
import type { Parameter } from "../nn/network.ts";
import type { OptimizerSettings } from "./optimizer-settings.ts";

export interface Optimizer {
  /** Moves `parameter` by `gradient` (the engine's layout). `step` counts optimiser steps from 1. Frees nothing. */
  update(parameter: Parameter, gradient: Tensor, learningRate: number, step: number): void;
  /**
   * The slots as `<parameter>.momentum`, or `<parameter>.firstMoment` and `.secondMoment`: float32, in the engine's
   * layout, in the order of the parameters.
   */
  stateDict(): Promise<Record<string, StoredTensor>>;
  /** Throws an error that lists missing, unexpected and wrongly shaped names, and then changes nothing. */
  loadStateDict(state: Readonly<Record<string, StoredTensor>>): void;
  /** Frees the slots. */
  close(): void;
}

/** An optimiser over `parameters` with all slots at zero. */
export function createOptimizer(
  engine: Engine,
  parameters: readonly Parameter[],
  settings: OptimizerSettings,
): Optimizer {
  const slots = new Map<string, Variable>();
  for (const { name, variable } of parameters)
    for (const slot of slotNames(settings))
      slots.set(`${name}.${slot}`, engine.variable(new Float32Array(elementCount(variable.shape)), variable.shape));

  return {
    update(parameter, gradient, learningRate, step) {
      const { name, variable, role } = parameter;
      const weightDecay = settings.weightDecayOn === "all" || role === "weight" ? settings.weightDecay : 0;
      if (settings.type === "sgd") {
        const { momentum, nesterov } = settings;
        const slot = slots.get(`${name}.momentum`);
        engine.sgdUpdate(variable, gradient, slot, { learningRate, momentum, weightDecay, nesterov });
      } else {
        const { beta1, beta2, epsilon } = settings;
        const [first, second] = [slots.get(`${name}.firstMoment`)!, slots.get(`${name}.secondMoment`)!];
        const decoupled = settings.type === "adamw";
        engine.adamUpdate(
          variable,
          gradient,
          first,
          second,
          { learningRate, beta1, beta2, epsilon, weightDecay, decoupled },
          step,
        );
      }
    },
    async stateDict() {
      const state: Record<string, StoredTensor> = {};
      for (const [name, slot] of slots)
        state[name] = { dtype: "F32", shape: slot.shape, data: (await engine.download(slot)) as Float32Array };
      return state;
    },
    loadStateDict(state) {
      const problems = stateProblems(slots, state);
      if (problems.length > 0) throw new Error(`this is not the state of this optimiser: ${problems.join("; ")}`);
      for (const [name, slot] of slots) engine.assign(slot, state[name]!.data as Float32Array);
    },
    close() {
      for (const slot of slots.values()) engine.disposeVariable(slot);
      slots.clear();
    },
  };
}

/** What an optimiser keeps per parameter. SGD without momentum keeps nothing. */
function slotNames(settings: OptimizerSettings): readonly string[] {
  if (settings.type === "sgd") return settings.momentum === 0 ? [] : ["momentum"];
  return ["firstMoment", "secondMoment"];
}

function stateProblems(slots: ReadonlyMap<string, Variable>, state: Readonly<Record<string, StoredTensor>>): string[] {
  const problems: string[] = [];
  for (const [name, { shape }] of slots) {
    const stored = state[name];
    if (stored === undefined) problems.push(`${name} is missing`);
    else if (stored.dtype !== "F32" || stored.shape.join() !== shape.join())
      problems.push(`${name} is ${stored.dtype} [${stored.shape}], not F32 [${shape}]`);
  }
  for (const name of Object.keys(state)) if (!slots.has(name)) problems.push(`${name} is unexpected`);
  return problems;
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
