/** Runs what a model's reference file describes on an engine, and gives back the same figures. */

import type { ReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine, Tensor, Variable } from "../../src/ml/engine/engine.ts";
import type { ArchitectureName, ArchitectureSpec } from "../../src/ml/models/architecture.ts";
import { describeModel } from "../../src/ml/models/describe-model.ts";
import { createNetwork } from "../../src/ml/nn/create-network.ts";
import type { ModelDescription } from "../../src/ml/nn/model-description.ts";
import type { Network, Parameter } from "../../src/ml/nn/network.ts";
import { elementCount, type StateEntry, stateEntries } from "../../src/ml/nn/state-entry.ts";
import { toEngineLayout } from "../../src/ml/nn/state-layout.ts";
import { fill, fillImages } from "./fill.ts";

/** What a reference file holds; VGG's have no training. */
export interface ModelReference {
  readonly arch: string;
  readonly options?: {
    readonly replace_stride_with_dilation?: readonly boolean[];
    readonly zero_init_residual?: boolean;
    readonly dropout?: number;
    readonly width?: number;
  };
  readonly input: readonly number[];
  readonly labels?: readonly number[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly parameter_count: number;
  readonly eval_logits: readonly (readonly number[])[];
  readonly train_logits?: readonly (readonly number[])[];
  readonly train_loss?: number;
  readonly gradient_l2?: Readonly<Record<string, number>>;
  /** null where there is no bn1 (VGG). */
  readonly running_mean_bn1_after?: readonly number[] | null;
  readonly running_var_bn1_after?: readonly number[] | null;
  /** Of every batch norm, by name, where the file has them all. */
  readonly running_after?: Readonly<Record<string, readonly number[]>>;
  readonly sgd?: { readonly lr: number; readonly momentum: number; readonly losses: readonly number[] };
}

export function specOf({ arch, options }: ModelReference): ArchitectureSpec {
  const { replace_stride_with_dilation: dilation, zero_init_residual: zeroInit, dropout, width } = options ?? {};
  return {
    architecture: arch as ArchitectureName,
    numClasses: 10,
    ...(dilation !== undefined && { replaceStrideWithDilation: dilation }),
    ...(zeroInit !== undefined && { zeroInitResidual: zeroInit }),
    ...(dropout !== undefined && { dropout }),
    ...(width !== undefined && { width }),
  };
}

/** By the rule; what starts a residual as the identity stays zero (make_more_references.py). */
function fillEntry({ name, shape, initial }: StateEntry): Float64Array {
  const staysZero = initial.type === "constant" && initial.value === 0 && name.endsWith(".weight");
  return staysZero ? new Float64Array(elementCount(shape)) : fill(name, shape);
}

/** A network on an engine, filled by the rule, with numbers going in and out in the engine's best precision. */
export interface Filled {
  readonly engine: Engine;
  readonly network: Network;
  readonly upload: (data: Float64Array, shape: readonly number[]) => Tensor;
  readonly download: (tensor: Tensor) => Promise<Float64Array>;
  /** A parameter or buffer by name, in PyTorch's layout for vectors. */
  readonly read: (name: string) => Promise<Float64Array>;
  /** Sets every weight and buffer to the rule's. */
  readonly refill: () => void;
}

/** float32 in and out: any engine. */
export function fillNetwork(engine: Engine, description: ModelDescription): Filled {
  const network = createNetwork(engine, description);
  const entries = stateEntries(description.layers);
  const refill = () =>
    network.loadStateDict(
      Object.fromEntries(
        entries.map((entry) => [
          entry.name,
          { dtype: "F32", shape: entry.shape, data: new Float32Array(fillEntry(entry)) },
        ]),
      ),
    );
  refill();
  return {
    engine,
    network,
    upload: (data, shape) => engine.upload(new Float32Array(data), shape),
    download: async (tensor) => Float64Array.from(await engine.download(tensor)),
    read: async (name) => Float64Array.from((await network.stateDict())[name]!.data as Float32Array),
    refill,
  };
}

/** Doubles in and out. */
export function fillDoubles(reference: ReferenceEngine, description: ModelDescription): Filled {
  const entries = stateEntries(description.layers);
  const variables: Variable[] = [];
  const network = createNetwork(
    {
      ...reference,
      variable(data, shape) {
        const variable = reference.variable(data, shape);
        variables.push(variable);
        return variable;
      },
    },
    description,
  );
  const zeros = entries.map(
    ({ name, shape }) => [name, { dtype: "F32", shape, data: new Float32Array(elementCount(shape)) }] as const,
  );
  network.loadStateDict(Object.fromEntries(zeros));
  const refill = () => {
    for (const [index, entry] of entries.entries())
      reference.assign(variables[index]!, toEngineLayout(entry, fillEntry(entry)));
  };
  refill();
  return {
    engine: reference,
    network,
    upload: (data, shape) => reference.upload(data, shape),
    download: async (tensor) => reference.downloadFloat64(tensor),
    read: async (name) => reference.downloadFloat64(variables[entries.findIndex((entry) => entry.name === name)]!),
    refill,
  };
}

const DRAW = { seed: 0, step: 0 };

export interface TrainingFigures {
  readonly logits: Float64Array;
  readonly loss: number;
  readonly gradientNorms: ReadonlyMap<string, number>;
  /** Of bn1, where there is one. */
  readonly runningMean: Float64Array | undefined;
  readonly runningVariance: Float64Array | undefined;
  /** Of those that `running_after` names. */
  readonly running: ReadonlyMap<string, Float64Array>;
}

export async function evalLogits(filled: Filled, reference: ModelReference): Promise<Float64Array> {
  const images = uploadImages(filled, reference);
  const logits = filled.network.evaluate(images);
  const values = await filled.download(logits);
  filled.engine.dispose(images, logits);
  return values;
}

/** One forward and backward pass in training mode, from the filled weights. */
export async function trainingFigures(filled: Filled, reference: ModelReference): Promise<TrainingFigures> {
  const { engine, network } = filled;
  const images = uploadImages(filled, reference);
  const labels = engine.upload(Int32Array.from(reference.labels!), [reference.labels!.length]);
  const logits = network.forward(images, DRAW);
  const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
  const norms: [string, Promise<number>][] = [];
  network.backward(dlogits, ({ name }, gradient) => norms.push([name, filled.download(gradient).then(l2)]));
  const figures = {
    logits: await filled.download(logits),
    loss: (await filled.download(loss))[0]!,
    gradientNorms: new Map(await Promise.all(norms.map(async ([name, norm]) => [name, await norm] as const))),
    runningMean: hasBn1(reference) ? await filled.read("bn1.running_mean") : undefined,
    runningVariance: hasBn1(reference) ? await filled.read("bn1.running_var") : undefined,
    running: new Map(
      await Promise.all(
        Object.keys(reference.running_after ?? {}).map(async (name) => [name, await filled.read(name)] as const),
      ),
    ),
  };
  engine.dispose(images, labels, logits, loss, dlogits);
  return figures;
}

/** The loss before each of `steps` SGD steps from the filled weights. */
export async function sgdLosses(filled: Filled, reference: ModelReference, steps: number): Promise<number[]> {
  const { engine, network } = filled;
  const { lr: learningRate, momentum } = reference.sgd!;
  filled.refill();
  const images = uploadImages(filled, reference);
  const labels = engine.upload(Int32Array.from(reference.labels!), [reference.labels!.length]);
  const slots = new Map<Parameter, Variable>();
  for (const parameter of network.parameters) {
    const { shape } = parameter.variable;
    slots.set(parameter, engine.variable(new Float32Array(elementCount(shape)), shape));
  }
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const logits = network.forward(images, { seed: 0, step });
    const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
    network.backward(dlogits, (parameter, gradient) =>
      engine.sgdUpdate(parameter.variable, gradient, slots.get(parameter), {
        learningRate,
        momentum,
        weightDecay: 0,
        nesterov: false,
      }),
    );
    losses.push((await filled.download(loss))[0]!);
    engine.dispose(logits, loss, dlogits);
  }
  for (const slot of slots.values()) engine.disposeVariable(slot);
  engine.dispose(images, labels);
  return losses;
}

export function describeReference(reference: ModelReference): ModelDescription {
  return describeModel(specOf(reference));
}

function hasBn1({ parameters }: ModelReference): boolean {
  return parameters.some(({ name }) => name === "bn1.weight");
}

/** The largest difference of `values` to `expected`, relative to the largest of `expected` (absolute where all are zero). */
export function relativeError(values: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(...expected.map(Math.abs));
  if (values.length !== expected.length) throw new Error(`${values.length} values, ${expected.length} expected`);
  return Math.max(...expected.map((value, i) => Math.abs(values[i]! - value))) / (scale || 1);
}

function uploadImages({ upload }: Filled, { input }: ModelReference): Tensor {
  const [n, channels, height, width] = input as [number, number, number, number];
  return upload(fillImages([n, channels, height, width]), [n, height, width, channels]);
}

function l2(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
