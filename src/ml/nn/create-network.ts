/**
 * A described model on an engine: forward, our own reverse pass, and its state under torchvision's names.
 *
 * Forward runs the layers in order and puts one `ReverseStep` per layer on a tape; backward takes the tape from its end.
 * A step holds only what its gradient needs (a convolution its input, a batch norm its input, a ReLU its output), and
 * lets go as soon as it has used it, so memory falls with every step. What must stay true: every tensor that forward
 * makes is freed by backward or discard, and evaluation leaves nothing behind (the engine's `liveTensors` is a test).
 */
import { createRng } from "../../rng.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { BatchNormVariables, Engine, Tensor, Variable } from "../engine/engine.ts";
import { Activation } from "./activation.ts";
import type { ConvLayer, DropoutLayer, Layer, PlainLayer, ResidualLayer } from "./layer.ts";
import type { ModelDescription } from "./model-description.ts";
import type { Network, Parameter } from "./network.ts";
import { readState } from "./read-state.ts";
import { refuseUnsupported } from "./refuse-unsupported.ts";
import { elementCount, stateEntries } from "./state-entry.ts";
import { engineShape, toEngineLayout, toTorchLayout } from "./state-layout.ts";

interface Draw {
  readonly seed: number;
  readonly step: number;
}

type UseGradient = (parameter: Parameter, gradient: Tensor) => void;

/** One layer's part of the reverse pass. Either is called once, never both. */
interface ReverseStep {
  /** From the gradient of the layer's output (the caller's) to that of its input (new, or `dy` itself); undefined where nobody wants it. */
  gradient(dy: Tensor, use: UseGradient): Tensor | undefined;
  release(): void;
}

/** A pass in training mode has a tape and a draw; an evaluation has neither. */
interface Pass {
  readonly training: { readonly tape: ReverseStep[]; readonly draw: Draw } | undefined;
}

/**
 * Puts `description` on `engine`. Its weights are unset until `loadStateDict`, and using it before throws. Throws
 * `UnsupportedOnEngine` where the engine cannot have one of its layers.
 */
export function createNetwork(engine: Engine, description: ModelDescription): Network {
  refuseUnsupported(engine, description.layers);
  const entries = stateEntries(description.layers);
  const variables = new Map<string, Variable>();
  for (const entry of entries)
    variables.set(entry.name, engine.variable(new Float32Array(elementCount(entry.shape)), engineShape(entry)));
  const parameters = new Map<string, Parameter>();
  for (const { name, role } of entries)
    if (role !== "buffer") parameters.set(name, { name, role, variable: variables.get(name)! });

  const firstLayer = description.layers[0];
  let tape: ReverseStep[] | undefined;
  let loaded = false;

  const variable = (layer: PlainLayer, suffix: string) => variables.get(`${layer.name}.${suffix}`)!;
  const parameter = (layer: PlainLayer, suffix: string) => parameters.get(`${layer.name}.${suffix}`)!;
  /** Hands over a layer's gradients, frees them, and returns `dx`, which is freed too where that throws. */
  const give = <Dx extends Tensor | undefined>(
    use: UseGradient,
    layer: PlainLayer,
    gradients: Readonly<Record<string, Tensor>>,
    dx: Dx,
  ): Dx => {
    try {
      for (const suffix of Object.keys(gradients)) use(parameter(layer, suffix), gradients[suffix]!);
      return dx;
    } catch (error) {
      engine.dispose(dx);
      throw error;
    } finally {
      engine.dispose(...Object.values(gradients));
    }
  };
  const fresh = (tensor: Tensor) => new Activation(engine, tensor);
  const batchNormVariables = (layer: PlainLayer): BatchNormVariables => ({
    scale: variable(layer, "weight"),
    shift: variable(layer, "bias"),
    runningMean: variable(layer, "running_mean"),
    runningVariance: variable(layer, "running_var"),
  });

  /** Runs `layers` on `x`, which is released; the result is the caller's. */
  function run(layers: readonly Layer[], x: Activation, pass: Pass): Activation {
    let current = x;
    for (const layer of layers) {
      const next = layer.type === "residual" ? residual(layer, current, pass) : plain(layer, current, pass);
      current.release();
      current = next;
    }
    return current;
  }

  /**
   * The reverse of `run`: from the gradient of its output, which stays the caller's, to that of its input. Uses up `steps`,
   * also where it throws.
   */
  function reverse(steps: ReverseStep[], dy: Tensor, use: UseGradient): Tensor | undefined {
    let current: Tensor | undefined = dy;
    try {
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        const next: Tensor | undefined = step.gradient(current!, use);
        if (current !== dy && next !== current) engine.dispose(current);
        current = next;
      }
      return current;
    } catch (error) {
      if (current !== dy) engine.dispose(current);
      releaseAll(steps);
      throw error;
    }
  }

  function residual(layer: ResidualLayer, x: Activation, pass: Pass): Activation {
    const bodyPass = branch(pass);
    const shortcutPass = branch(pass);
    const body = run(layer.body, x.hold(), bodyPass);
    const shortcut = run(layer.shortcut, x.hold(), shortcutPass);
    const y = fresh(engine.add(body.tensor, shortcut.tensor));
    body.release();
    shortcut.release();
    const [bodyTape, shortcutTape] = [bodyPass.training?.tape ?? [], shortcutPass.training?.tape ?? []];
    pass.training?.tape.push({
      gradient(dy, use) {
        const parts: Tensor[] = [];
        try {
          for (const tape of [bodyTape, shortcutTape]) parts.push(reverse(tape, dy, use)!);
          return engine.add(parts[0]!, parts[1]!);
        } finally {
          for (const part of parts) if (part !== dy) engine.dispose(part);
          releaseAll(shortcutTape);
        }
      },
      release() {
        releaseAll(bodyTape);
        releaseAll(shortcutTape);
      },
    });
    return y;
  }

  function plain(layer: PlainLayer, x: Activation, pass: Pass): Activation {
    /** Records the gradient, and holds `kept` until it has run or is discarded. */
    const record = (kept: readonly Activation[], gradient: ReverseStep["gradient"], free = () => {}) => {
      if (pass.training === undefined) return;
      for (const activation of kept) activation.hold();
      const release = () => {
        for (const activation of kept) activation.release();
        free();
      };
      pass.training.tape.push({
        gradient(dy, use) {
          try {
            return gradient(dy, use);
          } finally {
            release();
          }
        },
        release,
      });
    };

    switch (layer.type) {
      case "conv2d":
        return convolution(layer, x, record);
      case "batchNorm": {
        const own = batchNormVariables(layer);
        if (pass.training === undefined) return fresh(engine.batchNormEval(x.tensor, own, layer.epsilon));
        const { y, saved } = engine.batchNormTrain(x.tensor, own, layer.momentum, layer.epsilon);
        record(
          [x],
          (dy, use) => {
            const { dx, dscale, dshift } = engine.batchNormGradient(dy, x.tensor, own, saved);
            return give(use, layer, { weight: dscale, bias: dshift }, dx);
          },
          () => engine.disposeSaved(saved),
        );
        return fresh(y);
      }
      case "groupNorm": {
        const scale = variable(layer, "weight");
        const { y, saved } = engine.groupNorm(x.tensor, scale, variable(layer, "bias"), layer.groups, layer.epsilon);
        if (pass.training === undefined) engine.disposeSaved(saved);
        record(
          [x],
          (dy, use) => {
            const { dx, dscale, dshift } = engine.groupNormGradient(dy, x.tensor, scale, saved);
            return give(use, layer, { weight: dscale, bias: dshift }, dx);
          },
          () => engine.disposeSaved(saved),
        );
        return fresh(y);
      }
      case "relu": {
        const y = fresh(engine.relu(x.tensor));
        record([y], (dy) => engine.reluGradient(dy, y.tensor));
        return y;
      }
      case "maxPool": {
        const y = fresh(engine.maxPool(x.tensor, layer.geometry));
        record([x, y], (dy) => engine.maxPoolGradient(dy, x.tensor, y.tensor, layer.geometry));
        return y;
      }
      case "adaptiveAveragePool": {
        const { shape } = x.tensor;
        record([], (dy) => engine.adaptiveAveragePoolGradient(dy, shape));
        return fresh(engine.adaptiveAveragePool(x.tensor, layer.size));
      }
      case "flatten": {
        const { shape } = x.tensor;
        record([], (dy) => engine.reshape(dy, shape));
        return fresh(engine.reshape(x.tensor, [shape[0]!, elementCount(shape.slice(1))]));
      }
      case "linear": {
        const weight = variable(layer, "weight");
        record([x], (dy, use) => {
          const { dx, dweight, dbias } = engine.denseGradient(dy, x.tensor, weight);
          return give(use, layer, { weight: dweight, bias: dbias }, dx);
        });
        return fresh(engine.dense(x.tensor, weight, variable(layer, "bias")));
      }
      case "scale":
        record([], (dy) => engine.scale(dy, layer.factor));
        return fresh(engine.scale(x.tensor, layer.factor));
      case "dropout": {
        if (pass.training === undefined || layer.rate === 0) return x.hold();
        const mask = fresh(engine.upload(dropoutMask(layer, x.tensor, pass.training.draw), x.tensor.shape));
        const y = fresh(engine.multiply(x.tensor, mask.tensor));
        record([mask], (dy) => engine.multiply(dy, mask.tensor));
        mask.release();
        return y;
      }
    }
  }

  function convolution(
    layer: ConvLayer,
    x: Activation,
    record: (kept: readonly Activation[], gradient: ReverseStep["gradient"]) => void,
  ): Activation {
    const filter = variable(layer, "weight");
    record([x], (dy, use) => {
      const { dx, dfilter } = engine.conv2dGradient(dy, x.tensor, filter, layer.geometry, layer !== firstLayer);
      give(use, layer, { weight: dfilter }, dx);
      return layer.bias ? give(use, layer, { bias: engine.addBiasGradient(dy) }, dx) : dx;
    });
    const y = engine.conv2d(x.tensor, filter, layer.geometry);
    if (!layer.bias) return fresh(y);
    const biased = engine.addBias(y, variable(layer, "bias"));
    engine.dispose(y);
    return fresh(biased);
  }

  function requireLoaded(): void {
    if (!loaded) throw new Error("this network's weights were never loaded: call loadStateDict first");
  }

  function discard(): void {
    releaseAll(tape ?? []);
    tape = undefined;
  }

  return {
    parameters: [...parameters.values()],
    buffers: entries
      .filter(({ role }) => role === "buffer")
      .map(({ name }) => ({ name, variable: variables.get(name)! })),
    evaluate(images) {
      requireLoaded();
      return run(description.layers, new Activation(engine, images, true), { training: undefined }).tensor;
    },
    forward(images, draw) {
      requireLoaded();
      if (tape !== undefined) throw new Error("a forward pass is still held: call backward or discard first");
      tape = [];
      return run(description.layers, new Activation(engine, images, true), { training: { tape, draw } }).tensor;
    },
    backward(dlogits, use) {
      if (tape === undefined) throw new Error("there is no forward pass to go back through");
      const steps = tape;
      tape = undefined;
      const dimages = reverse(steps, dlogits, use);
      if (dimages !== dlogits) engine.dispose(dimages);
    },
    discard,
    async stateDict() {
      const state: Record<string, StoredTensor> = {};
      for (const entry of entries) {
        const data = (await engine.download(variables.get(entry.name)!)) as Float32Array;
        state[entry.name] = { dtype: "F32", shape: entry.shape, data: toTorchLayout(entry, data) };
      }
      return state;
    },
    checkStateDict(state) {
      readState(entries, state);
    },
    loadStateDict(state) {
      const read = readState(entries, state);
      for (const entry of entries) engine.assign(variables.get(entry.name)!, toEngineLayout(entry, read(entry)));
      loaded = true;
    },
    close() {
      discard();
      for (const held of variables.values()) engine.disposeVariable(held);
      variables.clear();
    },
  };
}

/** Lets go of what the steps hold, and of the steps. */
function releaseAll(steps: ReverseStep[]): void {
  for (const step of steps.splice(0)) step.release();
}

/** A branch of a residual records on a tape of its own. */
function branch({ training }: Pass): Pass {
  return { training: training && { tape: [], draw: training.draw } };
}

/** Srivastava et al. 2014, inverted as in PyTorch: 0 with probability `rate`, else 1 / (1 - rate). */
function dropoutMask({ name, rate }: DropoutLayer, x: Tensor, { seed, step }: Draw): Float32Array {
  const { uniform } = createRng(seed, "dropout", name, step);
  const kept = 1 / (1 - rate);
  return Float32Array.from({ length: elementCount(x.shape) }, () => (uniform() < rate ? 0 : kept));
}
