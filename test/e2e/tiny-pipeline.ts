/** The seven stages at the smallest size that still learns: three colours, a ResNet of four blocks, seconds on wasm. */
import { Project, writeImages } from "./project.ts";

export const TINY_PIPELINE = `# yaml-language-server: $schema=../schemas/pipeline.schema.json
name: tiny
params: { seed: 1, epochs: 2, learningRate: 0.02, title: Loss }
engine: { name: wasm, threads: 1 }
stages:
  fetch:
    uses: fetch
    inputs: { source: ../data }
    with: { dataset: imageFolder }
  split:
    uses: split
    inputs: { data: fetch.train }
    with: { fractions: { train: 0.75, valid: 0.25 }, shuffle: numpy, seed: "\${params.seed}" }
  normalize:
    uses: normalize
    inputs: { train: split.train, valid: split.valid, test: fetch.test }
    with:
      train: [{ resize: 14 }, { randomCrop: 12 }, { randomHorizontalFlip: 0.5 }]
      eval: [{ resize: 14 }, { centerCrop: 12 }]
      seed: "\${params.seed}"
  model:
    uses: build-model
    with: { block: basic, layers: [1, 1, 1, 1], numClasses: 3, seed: "\${params.seed}" }
  train:
    uses: train
    inputs: { model: model, train: normalize.train, valid: normalize.valid }
    with:
      epochs: "\${params.epochs}"
      batchSize: 9
      optimizer: { type: sgd, learningRate: "\${params.learningRate}", momentum: 0.9 }
      schedule: { type: step, stepSize: 1, gamma: 0.5 }
      seed: "\${params.seed}"
  evaluate:
    uses: evaluate
    inputs: { model: train.model, test: normalize.test }
  plot:
    uses: plot
    inputs: { history: train.history, predictions: evaluate.predictions, examples: normalize.test }
    with:
      charts: [loss, accuracy, confusionMatrix, examples]
      formats: [svg]
      loss: { title: "\${params.title}" }
`;

export async function createTinyProject(program?: string): Promise<Project> {
  const project = new Project(program);
  project.write("pipelines/tiny.yaml", TINY_PIPELINE);
  await writeImages(project, { train: 24, test: 6, size: 16 });
  return project;
}

/** Stages of a run by what became of them, in order. */
export function stagesThat(outcomes: Readonly<Record<string, string>>, outcome: string): readonly string[] {
  return Object.keys(outcomes).filter((stage) => outcomes[stage] === outcome);
}

/** The same with a network of 26,000 weights, on images of 32 pixels: where many epochs are trained and kept. */
export async function createSmallProject(): Promise<Project> {
  const project = await createTinyProject();
  const edit = (from: string, to: string) => project.edit("pipelines/tiny.yaml", from, to);
  edit("block: basic, layers: [1, 1, 1, 1]", "architecture: resnet9, width: 4");
  edit("train: [{ resize: 14 }, { randomCrop: 12 }", "train: [{ resize: 36 }, { randomCrop: 32 }");
  edit("eval: [{ resize: 14 }, { centerCrop: 12 }]", "eval: [{ resize: 32 }]");
  return project;
}
