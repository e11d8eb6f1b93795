/** A pass over images in eval mode: what training does after each epoch, and the evaluate stage at the end. */
import type { Batch } from "../data/loader.ts";
import type { Engine } from "../engine/engine.ts";
import { countTopK, sumCrossEntropy } from "../metrics/ranks.ts";
import type { Network } from "../nn/network.ts";
import { flipHorizontal } from "../transforms/flip.ts";
import { type ImageSource, uploadImages } from "./image-source.ts";

export interface Evaluation {
  /** Mean cross-entropy per image. NaN or infinite where the model's logits are. */
  readonly loss: number;
  /** A fraction. */
  readonly accuracy: number;
  readonly count: number;
}

export interface EvaluationPass {
  readonly engine: Engine;
  readonly network: Network;
  readonly source: ImageSource;
  /** Which epoch of the loader to go over: matters only where its transforms draw. */
  readonly epoch?: number;
  /** Takes the mean of the logits of each image and of its mirror image. */
  readonly averageFlips?: boolean;
  /** Sees each batch's logits [n, classes] and labels [n], in order. */
  onBatch?(logits: Float32Array, labels: Int32Array): void;
  /** Called before each batch; throw to stop. */
  beforeBatch?(): Promise<void> | void;
}

/** Throws where there is no image. */
export async function evaluateNetwork(pass: EvaluationPass): Promise<Evaluation> {
  let [loss, correct, count] = [0, 0, 0];
  for await (const batch of pass.source.loader.epoch(pass.epoch ?? 1)) {
    await pass.beforeBatch?.();
    const labels = batch.labels.slice();
    // Before anything is awaited: the loader fills the batch's memory again.
    const mirrored = pass.averageFlips ? mirror(batch) : undefined;
    const { logits, classes } = await logitsOf(pass, batch);
    if (mirrored !== undefined) {
      const other = await logitsOf(pass, mirrored);
      for (const [i, value] of other.logits.entries()) logits[i] = (logits[i]! + value) / 2;
    }
    loss += sumCrossEntropy(logits, labels, classes);
    correct += countTopK(logits, labels, classes, 1);
    count += labels.length;
    pass.onBatch?.(logits, labels);
  }
  if (count === 0) throw new Error("there is no image to evaluate on");
  return { loss: loss / count, accuracy: correct / count, count };
}

async function logitsOf({ engine, network, source }: EvaluationPass, batch: Batch) {
  const images = uploadImages(engine, batch, source);
  const output = network.evaluate(images);
  const logits = (await engine.download(output)) as Float32Array;
  engine.dispose(images, output);
  return { logits, classes: output.shape[1]! };
}

/** The batch with every image's left and right exchanged: as one image of all rows. */
function mirror(batch: Batch): Batch {
  const [count, height, width, channels] = batch.shape;
  return { ...batch, images: flipHorizontal({ data: batch.images, height: count * height, width, channels }).data };
}
