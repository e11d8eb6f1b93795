/** A whole model, engine-free: its layers in order, what goes in and what comes out. */
import type { Layer } from "./layer.ts";

export interface ModelDescription {
  /** For people and for facts: `resnet34`, `resnet-bottleneck-2-2-2-2`; models of one name have the same parameters. */
  readonly architecture: string;
  /** From images [n, h, w, imageChannels] to logits [n, numClasses]. */
  readonly layers: readonly Layer[];
  readonly numClasses: number;
  readonly imageChannels: number;
}
