/** evaluate: a trained model on images it has not seen: metrics, predictions and the confusion matrix. */
import { asStageFailure, defineStage, type Facts, StageFailure } from "../src/contract.ts";
import type { Metrics } from "../src/ml/checkpoint/evaluation-files.ts";
import type { Engine } from "../src/ml/engine/engine.ts";
import { modelFitProblems } from "../src/ml/train/model-fit.ts";
import type { EvaluateParams } from "./generated/evaluate-params.ts";

const LOADER_THREADS = 4;

export const evaluate = defineStage<EvaluateParams, Engine>({
  type: "evaluate",
  description: "Measures a model on images: loss, accuracy, precision and recall per class, and the confusion matrix.",
  inputs: {
    model: { kind: "model", description: "The model to measure." },
    test: { kind: "dataset", description: "The images to measure on." },
  },
  outputs: {
    metrics: { kind: "metrics", primary: true, description: "Loss, top-1, top-5, and the figures of each class." },
    predictions: { kind: "predictions", description: "Label, predicted class and probabilities of each image." },
    confusion: { kind: "confusion", description: "How often each class was taken for which." },
  },
  computes: true,
  assets: { loader: "../src/ml/data/loader-worker.ts" },
  check: ({ inputs }) =>
    modelFitProblems("test", inputs.model ?? {}, inputs.test ?? {}).map((problem) => ({
      path: ["inputs", "test"],
      ...problem,
    })),
  describe({ inputs }) {
    const { classNames } = inputs.test ?? {};
    // A folder of images has told nothing before it is read, but its classes will have to be the model's.
    const classes = inputs.test?.classes ?? inputs.model?.classes;
    const facts: Facts = { ...(classes !== undefined && { classes }), ...(classNames !== undefined && { classNames }) };
    return { metrics: {}, predictions: facts, confusion: facts };
  },

  async run(ctx) {
    const { readModelFiles } = await import("../src/ml/checkpoint/model-files.ts");
    const { createNetwork } = await import("../src/ml/nn/create-network.ts");
    const { openDataset } = await import("../src/ml/data/dataset.ts");
    const { createImageSource } = await import("../src/ml/train/image-source.ts");
    const { evaluateNetwork } = await import("../src/ml/train/evaluate-network.ts");
    const { PredictionCollector } = await import("../src/ml/metrics/prediction-collector.ts");
    const { eventLoopTurn } = await import("../src/ml/train/event-loop-turn.ts");
    const files = await import("../src/ml/checkpoint/evaluation-files.ts");

    const { params, inputs, outputs, engine } = ctx;
    const model = readModelFiles((file) => inputs.model!.path(file));
    const network = createNetwork(engine, model.description);
    let opened: ReturnType<typeof openDataset> | undefined;
    let source: ReturnType<typeof createImageSource> | undefined;
    try {
      const dataset = openDataset(inputs.test!);
      opened = dataset;
      const { numClasses: classes, imageChannels } = model.description;
      const [height, width] = dataset.transformedSize;
      const facts = { classes: dataset.classNames.length, channels: dataset.channels, height, width };
      const [mismatch] = modelFitProblems("test", { classes, channels: imageChannels, spec: model.spec }, facts);
      if (mismatch !== undefined) throw new StageFailure(mismatch.message, mismatch.help);
      network.loadStateDict(model.state);
      source = createImageSource({
        dataset,
        batchSize: params.batchSize,
        dropLast: false,
        shuffle: false,
        // In order: nothing is drawn from it.
        seed: 0,
        purpose: "test",
        threads: ctx.threads(LOADER_THREADS),
        workerModule: ctx.asset("loader"),
      });
      const collector = new PredictionCollector(dataset.length, dataset.classNames);
      let done = 0;
      const pass = await evaluateNetwork({
        engine,
        network,
        source,
        averageFlips: params.averageFlips ?? false,
        async beforeBatch() {
          await eventLoopTurn();
          ctx.signal.throwIfAborted();
        },
        onBatch(logits, labels) {
          collector.add(logits, labels);
          done += labels.length;
          ctx.progress({ phase: "evaluating", done, total: dataset.length, unit: "images" });
        },
      });
      if (!Number.isFinite(pass.loss))
        throw new StageFailure(
          `the model's loss on the test images is ${pass.loss}: its outputs are not finite`,
          "the training diverged; train with a lower learning rate",
        );
      const { metrics, predictions, confusion } = collector.finish(pass);
      files.writeMetrics(outputs.metrics!.folder, metrics);
      files.writePredictions(outputs.predictions!.folder, predictions);
      files.writeConfusion(outputs.confusion!.folder, dataset.classNames, confusion);
      for (const line of metricsTable(metrics)) ctx.log(line);
      ctx.metric("testAccuracy", metrics.top1);
      ctx.metric("testLoss", metrics.loss);
      ctx.metric("top5", metrics.top5);
    } catch (error) {
      throw asStageFailure(error, ["DataError"]);
    } finally {
      network.close();
      await source?.loader.close();
      opened?.close();
    }
  },
});

/** Lines for people: the headline, then a row per class. */
function metricsTable({ loss, top1, top5, count, perClass }: Metrics): string[] {
  const percent = (fraction: number) => `${(100 * fraction).toFixed(2)}%`;
  const width = Math.max(5, ...perClass.map(({ className }) => className.length));
  const row = (name: string, cells: readonly string[]) =>
    [name.padEnd(width), ...cells.map((cell) => cell.padStart(9))].join(" ");
  return [
    `Test accuracy: ${percent(top1)} | Top 5: ${percent(top5)} | Loss: ${loss.toFixed(4)} | ${count} images`,
    row("class", ["precision", "recall", "f1", "images"]),
    ...perClass.map(({ className, precision, recall, f1, support }) =>
      row(className, [precision.toFixed(4), recall.toFixed(4), f1.toFixed(4), String(support)]),
    ),
  ];
}
