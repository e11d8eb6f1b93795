/**
 * Optimisers: which slots a parameter has, and how one gradient moves it. The arithmetic is the engine's.
 *
 * The learning rate is an argument of every update and no part of the state, so a schedule changes it without touching
 * momentum (PyTorch's form). The state is the slots alone; the step count belongs to whoever counts steps.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { Engine, SgdSettings, Tensor, Variable } from "../engine/engine.ts";
import type { Parameter } from "../nn/network.ts";
import type { LarsOptimizer, OptimizerSettings } from "./optimizer-settings.ts";

export interface Optimizer {
  /** Moves `parameter` by `gradient` (the engine's layout). Frees nothing. `norms` are given where `needsNorms` asked for them. */
  update(parameter: Parameter, gradient: Tensor, at: StepSettings, norms?: UpdateNorms): void;
  /** Whether an update of `parameter` depends on the norms of it and of its gradient. */
  needsNorms(parameter: Parameter): boolean;
  /**
   * The slots as `<parameter>.momentum`, or `<parameter>.firstMoment` and `.secondMoment`, and so on: float32, in the
   * engine's layout, in the order of the parameters.
   */
  stateDict(): Promise<Record<string, StoredTensor>>;
  /** Throws an error that lists missing, unexpected and wrongly shaped names. */
  checkStateDict(state: Readonly<Record<string, StoredTensor>>): void;
  /** The same where it does not fit; then nothing is changed. */
  loadStateDict(state: Readonly<Record<string, StoredTensor>>): void;
  /** Frees the slots. */
  close(): void;
}

/** What one optimiser step is taken with. */
export interface StepSettings {
  /** Counted from 1, over all epochs. */
  readonly step: number;
  readonly learningRate: number;
  /** Where a schedule moves it: in place of the optimiser's momentum, for Adam of its beta1. */
  readonly momentum?: number | undefined;
}

/** L2 norms of a parameter and of the gradient that is about to move it. */
export interface UpdateNorms {
  readonly weight: number;
  readonly gradient: number;
}

/** One update: what moves, by what, and what is remembered of it. */
interface Update {
  readonly engine: Engine;
  readonly parameter: Parameter;
  readonly gradient: Tensor;
  readonly slots: ReadonlyMap<SlotName, Variable>;
  readonly at: StepSettings;
  /** 0 where this parameter does not decay. */
  readonly weightDecay: number;
  readonly norms: UpdateNorms | undefined;
}

export type SlotName = "momentum" | "firstMoment" | "secondMoment" | "meanSquare" | "meanGradient";

/** An optimiser over `parameters` with all slots at zero. */
export function createOptimizer(
  engine: Engine,
  parameters: readonly Parameter[],
  settings: OptimizerSettings,
): Optimizer {
  const slotsOf = new Map<string, ReadonlyMap<SlotName, Variable>>();
  const named = new Map<string, Variable>();
  for (const { name, variable } of parameters) {
    const slots = new Map<SlotName, Variable>();
    for (const slot of slotNames(settings)) {
      const own = engine.variable(new Float32Array(elementCount(variable.shape)), variable.shape);
      slots.set(slot, own);
      named.set(`${name}.${slot}`, own);
    }
    slotsOf.set(name, slots);
  }

  function checkStateDict(state: Readonly<Record<string, StoredTensor>>): void {
    const problems = stateProblems(named, state);
    if (problems.length > 0) throw new Error(`this is not the state of this optimiser: ${problems.join("; ")}`);
  }

  return {
    checkStateDict,
    update(parameter, gradient, at, norms) {
      const weightDecay = settings.weightDecayOn === "all" || parameter.role === "weight" ? settings.weightDecay : 0;
      const slots = slotsOf.get(parameter.name)!;
      applyUpdate({ engine, parameter, gradient, slots, at, weightDecay, norms }, settings);
    },
    needsNorms: ({ role }) => settings.type === "lars" && role === "weight",
    async stateDict() {
      const state: Record<string, StoredTensor> = {};
      for (const [name, slot] of named)
        state[name] = { dtype: "F32", shape: slot.shape, data: (await engine.download(slot)) as Float32Array };
      return state;
    },
    loadStateDict(state) {
      checkStateDict(state);
      for (const [name, slot] of named) engine.assign(slot, state[name]!.data as Float32Array);
    },
    close() {
      for (const slot of named.values()) engine.disposeVariable(slot);
      named.clear();
    },
  };
}

/** What an optimiser keeps per parameter. SGD without momentum keeps nothing. */
export function slotNames(settings: OptimizerSettings): readonly SlotName[] {
  switch (settings.type) {
    case "sgd":
    case "lars":
      return settings.momentum === 0 ? [] : ["momentum"];
    case "adam":
    case "adamw":
      return ["firstMoment", "secondMoment"];
    case "rmsprop":
      return [
        "meanSquare",
        ...(settings.centered ? (["meanGradient"] as const) : []),
        ...(settings.momentum === 0 ? [] : (["momentum"] as const)),
      ];
  }
}

function applyUpdate(update: Update, settings: OptimizerSettings): void {
  const { engine, parameter, gradient, slots, weightDecay, norms } = update;
  const { variable } = parameter;
  const { step, learningRate } = update.at;
  switch (settings.type) {
    case "sgd": {
      const { dampening, nesterov } = settings;
      const momentum = update.at.momentum ?? settings.momentum;
      // Without momentum PyTorch has no dampening, and its first velocity is the gradient itself.
      const share = settings.momentum === 0 || step === 1 ? 1 : 1 - dampening;
      updateByShare(update, share, { learningRate, momentum, weightDecay, nesterov });
      return;
    }
    case "lars": {
      const momentum = update.at.momentum ?? settings.momentum;
      const share = norms === undefined ? 1 : larsShare(norms, settings, weightDecay);
      // No gradient, no step: as the reference, which then leaves out the decay too.
      const decay = norms?.gradient === 0 ? 0 : weightDecay;
      updateByShare(update, share, { learningRate, momentum, weightDecay: decay, nesterov: false });
      return;
    }
    case "adam":
    case "adamw": {
      const { beta2, epsilon } = settings;
      const beta1 = update.at.momentum ?? settings.beta1;
      const decoupled = settings.type === "adamw";
      engine.adamUpdate(
        variable,
        gradient,
        slots.get("firstMoment")!,
        slots.get("secondMoment")!,
        { learningRate, beta1, beta2, epsilon, weightDecay, decoupled },
        step,
      );
      return;
    }
    case "rmsprop": {
      const { alpha, epsilon } = settings;
      const momentum = update.at.momentum ?? settings.momentum;
      engine.rmspropUpdate(
        variable,
        gradient,
        {
          meanSquare: slots.get("meanSquare")!,
          meanGradient: slots.get("meanGradient"),
          velocity: slots.get("momentum"),
        },
        { learningRate, alpha, epsilon, momentum, weightDecay },
      );
      return;
    }
  }
}

/** SGD by `share` (g + decay w) in the place of g + decay w. */
function updateByShare({ engine, parameter, gradient, slots }: Update, share: number, settings: SgdSettings): void {
  const slot = slots.get("momentum");
  if (share === 1) {
    engine.sgdUpdate(parameter.variable, gradient, slot, settings);
    return;
  }
  const scaled = engine.scale(gradient, share);
  engine.sgdUpdate(parameter.variable, scaled, slot, { ...settings, weightDecay: share * settings.weightDecay });
  engine.dispose(scaled);
}

/**
 * The local rate of You, Gitman & Ginsburg 2017, "Large Batch Training of Convolutional Networks" (arXiv:1708.03888),
 * equation 6 with weight decay: trust ||w|| / (||g|| + decay ||w|| + epsilon), or 1 where one of the norms is 0. The global
 * rate stays outside the momentum, as in PyTorch's SGD, which is the form of Lightning Flash's LARS (after PyTorch's SGD);
 * unlike that one it also adapts weights that do not decay, as the paper does. Norms' scales and shifts and biases are not
 * adapted.
 */
function larsShare(
  { weight, gradient }: UpdateNorms,
  { trustCoefficient, epsilon }: LarsOptimizer,
  weightDecay: number,
): number {
  if (weight === 0 || gradient === 0) return 1;
  return (trustCoefficient * weight) / (gradient + weightDecay * weight + epsilon);
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
