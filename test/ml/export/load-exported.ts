/** Loads an export as stock TensorFlow.js does over the network, and runs it. */
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";

/** `read` gives a file of the export. */
export function loadExported(read: (file: string) => Uint8Array | string): Promise<GraphModel> {
  return loadGraphModel({
    async load() {
      const text = Buffer.from(read("model.json")).toString();
      const { modelTopology, weightsManifest, format, generatedBy, signature } = JSON.parse(text);
      const shards = weightsManifest[0].paths.map((path: string) => read(path) as Uint8Array);
      const weightData = Uint8Array.from(Buffer.concat(shards)).buffer;
      return { modelTopology, format, generatedBy, signature, weightSpecs: weightsManifest[0].weights, weightData };
    },
  });
}

/** `images` are [n, h, w, c]. Keeps nothing. */
export function runExported(
  model: GraphModel,
  images: Float32Array,
  shape: readonly [number, number, number, number],
): readonly number[] {
  return tf.tidy(() => [...(model.predict(tf.tensor4d(images, [...shape])) as tf.Tensor).dataSync()]);
}
