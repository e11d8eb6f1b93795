/** The plain lines of a training, in the published recipe's form. */
import type { EpochRecord } from "./history.ts";

/** `Epoch: 001/050 | Batch 0100/0175 | Loss: 1.2345` */
export function stepLine(at: { epoch: number; epochs: number; batch: number; batches: number; loss: number }): string {
  return `${epochPart(at.epoch, at.epochs)} | Batch ${padded(at.batch, 4)}/${padded(at.batches, 4)} | Loss: ${at.loss.toFixed(4)}`;
}

/** `Epoch: 001/050 | Train: 45.12% | Valid: 44.20% | Loss: 1.5432 | Learning rate: 0.1 | Elapsed: 1.23 min` */
export function epochLine(record: EpochRecord, epochs: number, elapsedMs: number): string {
  const percent = (name: string, fraction: number | undefined) =>
    fraction === undefined ? [] : [`${name}: ${(100 * fraction).toFixed(2)}%`];
  return [
    epochPart(record.epoch, epochs),
    ...percent("Train", record.trainAccuracy),
    ...percent("Valid", record.validAccuracy),
    `Loss: ${record.trainLoss.toFixed(4)}`,
    `Learning rate: ${Number(record.learningRate.toPrecision(6))}`,
    `Elapsed: ${(elapsedMs / 60_000).toFixed(2)} min`,
  ].join(" | ");
}

function epochPart(epoch: number, epochs: number): string {
  return `Epoch: ${padded(epoch, 3)}/${padded(epochs, 3)}`;
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
