/** Optimiser updates on the GPU, as PyTorch writes them: new values, which the engine puts in the variables' place. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { AdamSettings, RmspropSettings, SgdSettings } from "../engine.ts";
import type { Gpu } from "./gpu.ts";

/** torch.optim.SGD: g += decay w; v = momentum v + g; w -= rate (nesterov ? g + momentum v : v). */
export function sgd(
  gpu: Gpu,
  weight: TensorInfo,
  gradient: TensorInfo,
  slot: TensorInfo | undefined,
  { learningRate: rate, momentum, weightDecay: decay, nesterov }: SgdSettings,
): { readonly weight: TensorInfo; readonly slot: TensorInfo | undefined } {
  const { programs } = gpu;
  if (slot === undefined)
    return {
      weight: programs.map(weight.shape, {
        inputs: { weight, gradient },
        floats: { rate, decay },
        value: "return weight[i] - rate * (gradient[i] + decay * weight[i]);",
      }),
      slot,
    };
  const velocity = programs.map(weight.shape, {
    inputs: { weight, gradient, slot },
    floats: { momentum, decay },
    value: "return momentum * slot[i] + (gradient[i] + decay * weight[i]);",
  });
  const moved = programs.map(weight.shape, {
    inputs: { weight, gradient, velocity },
    ints: { nesterov: nesterov ? 1 : 0 },
    floats: { rate, momentum, decay },
    value: `
      let ahead = gradient[i] + decay * weight[i] + momentum * velocity[i];
      return weight[i] - rate * select(velocity[i], ahead, nesterov == 1);`,
  });
  return { weight: moved, slot: velocity };
}

/** torch.optim.Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019): epsilon is added after the bias correction. */
export function adam(
  gpu: Gpu,
  weight: TensorInfo,
  gradient: TensorInfo,
  first: TensorInfo,
  second: TensorInfo,
  { learningRate, beta1, beta2, epsilon, weightDecay, decoupled }: AdamSettings,
  step: number,
): { readonly weight: TensorInfo; readonly first: TensorInfo; readonly second: TensorInfo } {
  const { programs } = gpu;
  const coupled = decoupled ? 0 : weightDecay;
  const moment1 = programs.map(weight.shape, {
    inputs: { weight, gradient, first },
    floats: { beta: beta1, own: 1 - beta1, coupled },
    value: "return beta * first[i] + own * (gradient[i] + coupled * weight[i]);",
  });
  const moment2 = programs.map(weight.shape, {
    inputs: { weight, gradient, second },
    floats: { beta: beta2, own: 1 - beta2, coupled },
    value: "let g = gradient[i] + coupled * weight[i]; return beta * second[i] + own * g * g;",
  });
  const moved = programs.map(weight.shape, {
    inputs: { weight, moment1, moment2 },
    floats: {
      rate: learningRate / (1 - beta1 ** step),
      correction: Math.sqrt(1 - beta2 ** step),
      epsilon,
      kept: decoupled ? 1 - learningRate * weightDecay : 1,
    },
    value: "return kept * weight[i] - rate * moment1[i] / (sqrt(moment2[i]) / correction + epsilon);",
  });
  return { weight: moved, first: moment1, second: moment2 };
}

/** torch.optim.RMSprop (Tieleman & Hinton 2012; centered: Graves 2013): epsilon is added outside the root. */
export function rmsprop(
  gpu: Gpu,
  weight: TensorInfo,
  gradient: TensorInfo,
  slots: {
    readonly meanSquare: TensorInfo;
    readonly meanGradient: TensorInfo | undefined;
    readonly velocity: TensorInfo | undefined;
  },
  { learningRate: rate, alpha, epsilon, momentum, weightDecay: decay }: RmspropSettings,
) {
  const { programs, memory } = gpu;
  const { shape } = weight;
  const kept = 1 - alpha;
  const meanSquare = programs.map(shape, {
    inputs: { weight, gradient, before: slots.meanSquare },
    floats: { alpha, kept, decay },
    value: "let g = gradient[i] + decay * weight[i]; return alpha * before[i] + kept * g * g;",
  });
  const meanGradient =
    slots.meanGradient &&
    programs.map(shape, {
      inputs: { weight, gradient, before: slots.meanGradient },
      floats: { kept, decay },
      value: "return before[i] + kept * (gradient[i] + decay * weight[i] - before[i]);",
    });
  const direction = programs.map(shape, {
    inputs: { weight, gradient, meanSquare, mean: meanGradient ?? meanSquare },
    ints: { centered: meanGradient === undefined ? 0 : 1 },
    floats: { decay, epsilon },
    value: `
      let variance = meanSquare[i] - select(0.0, mean[i] * mean[i], centered == 1);
      return (gradient[i] + decay * weight[i]) / (sqrt(variance) + epsilon);`,
  });
  const velocity =
    slots.velocity &&
    programs.map(shape, {
      inputs: { before: slots.velocity, direction },
      floats: { momentum },
      value: "return momentum * before[i] + direction[i];",
    });
  const moved = programs.map(shape, {
    inputs: { weight, direction: velocity ?? direction },
    floats: { rate },
    value: "return weight[i] - rate * direction[i];",
  });
  memory.drop(direction);
  return { weight: moved, meanSquare, meanGradient, velocity };
}

/** average + share (value - average). */
export function average(gpu: Gpu, mean: TensorInfo, value: TensorInfo, share: number): TensorInfo {
  return gpu.programs.map(mean.shape, {
    inputs: { mean, recent: value },
    floats: { share },
    value: "return mean[i] + share * (recent[i] - mean[i]);",
  });
}
