/** Optimiser updates exactly as PyTorch writes them, in place. */
import type { AdamSettings, RmspropSettings, SgdSettings } from "../engine.ts";
import type { Reals } from "./storage.ts";

/** torch.optim.SGD: g += decay w; v = momentum v + g; w -= rate (nesterov ? g + momentum v : v). */
export function sgdUpdate(weight: Reals, gradient: Reals, slot: Reals | undefined, settings: SgdSettings): void {
  const { learningRate, momentum, weightDecay, nesterov } = settings;
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i]! + weightDecay * weight[i]!;
    if (slot === undefined) {
      weight[i] = weight[i]! - learningRate * g;
      continue;
    }
    slot[i] = momentum * slot[i]! + g;
    weight[i] = weight[i]! - learningRate * (nesterov ? g + momentum * slot[i]! : slot[i]!);
  }
}

/** torch.optim.Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019): epsilon is added after the bias correction. */
export function adamUpdate(
  weight: Reals,
  gradient: Reals,
  first: Reals,
  second: Reals,
  settings: AdamSettings,
  step: number,
): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = settings;
  const rate = learningRate / (1 - beta1 ** step);
  const correction = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < weight.length; i++) {
    const w = decoupled ? weight[i]! * (1 - learningRate * weightDecay) : weight[i]!;
    const g = decoupled ? gradient[i]! : gradient[i]! + weightDecay * w;
    first[i] = beta1 * first[i]! + (1 - beta1) * g;
    second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
    weight[i] = w - (rate * first[i]!) / (Math.sqrt(second[i]!) / correction + epsilon);
  }
}

/** The slots of `rmspropUpdate`, as numbers. */
export interface RmspropReals {
  readonly meanSquare: Reals;
  readonly meanGradient: Reals | undefined;
  readonly velocity: Reals | undefined;
}

/** torch.optim.RMSprop (Tieleman & Hinton 2012; centered: Graves 2013): epsilon is added outside the root. */
export function rmspropUpdate(weight: Reals, gradient: Reals, slots: RmspropReals, settings: RmspropSettings): void {
  const { learningRate, alpha, epsilon, momentum, weightDecay } = settings;
  const { meanSquare, meanGradient, velocity } = slots;
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i]! + weightDecay * weight[i]!;
    meanSquare[i] = alpha * meanSquare[i]! + (1 - alpha) * g * g;
    let variance = meanSquare[i]!;
    if (meanGradient !== undefined) {
      meanGradient[i] = meanGradient[i]! + (1 - alpha) * (g - meanGradient[i]!);
      variance -= meanGradient[i]! ** 2;
    }
    let direction = g / (Math.sqrt(variance) + epsilon);
    if (velocity !== undefined) {
      velocity[i] = momentum * velocity[i]! + direction;
      direction = velocity[i]!;
    }
    weight[i] = weight[i]! - learningRate * direction;
  }
}

/** average += share (value - average). */
export function averageUpdate(average: Reals, value: Reals, share: number): void {
  for (let i = 0; i < average.length; i++) average[i] = average[i]! + share * (value[i]! - average[i]!);
}
