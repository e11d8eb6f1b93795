/**
 * The public library, `tfpipe/ml`: training image classifiers on TensorFlow's kernels, without pipelines. What is here
 * is what a program of its own needs; everything else is an implementation detail.
 */
import type { Engine, EngineName, EngineOptions } from "./engine/engine.ts";
import { loadEngine } from "./engine/load-engine.ts";

export { openSafetensors, type StoredTensor, writeSafetensors } from "./checkpoint/safetensors.ts";
export { type Dataset, openDataset } from "./data/dataset.ts";
export { type Batch, createLoader, type Loader } from "./data/loader.ts";
export { type EngineChoice, listEngines, resolveEngine } from "./engine/catalogue.ts";
export type { CreateEngine, Engine, EngineOptions, Tensor, Variable } from "./engine/engine.ts";
export { nativeEnvironment } from "./engine/native/binding.ts";
export { selfTest } from "./engine/self-test.ts";
export type { ArchitectureSpec } from "./models/architecture.ts";
export { describeModel } from "./models/describe-model.ts";
export { createNetwork } from "./nn/create-network.ts";
export { initialState } from "./nn/initial-state.ts";
export { renderLayerTable } from "./nn/layer-table.ts";
export type { ModelDescription } from "./nn/model-description.ts";
export type { Network, Parameter } from "./nn/network.ts";
export { createGradientSink, type GradientSettings, type GradientSink } from "./optim/gradient-sink.ts";
export { createOptimizer, type Optimizer } from "./optim/optimizer.ts";
export type { OptimizerSettings } from "./optim/optimizer-settings.ts";
export { createWeightAverage, type WeightAverage, type WeightAverageSettings } from "./optim/weight-average.ts";
export { type EpochRates, epochRates, rateAt, type TrainingLength } from "./schedule/epoch-rates.ts";
export { initialPlateau, observePlateau } from "./schedule/plateau.ts";
export type { ScheduleSettings } from "./schedule/schedule-settings.ts";
export { type Evaluation, evaluateNetwork } from "./train/evaluate-network.ts";
export { trainModel } from "./train/train-model.ts";
export type { TrainedModel, Training } from "./train/training.ts";

/** Loads an engine by the name that `resolveEngine` gave. The native one must have its environment from the start of the process. */
export async function openEngine(name: EngineName, options: EngineOptions): Promise<Engine> {
  return (await loadEngine(name))(options);
}
