/** Times SGD steps of a ResNet-34 on the native engine, uint8 images to updated weights: `step.mjs SIZE BATCH STEPS`. */
import {
  createNetwork,
  createOptimizer,
  describeModel,
  initialState,
  openEngine,
  resolveEngine,
} from "../../dist/ml.js";

const [size, batch, steps] = process.argv.slice(2).map(Number);
const choice = resolveEngine("native");
if ("problem" in choice) throw new Error(`${choice.problem}; ${choice.help}`);
const engine = await openEngine("native", { threads: 2, precision: "float32", folder: choice.folder });
const model = describeModel({ architecture: "resnet34", numClasses: 10 });
const network = createNetwork(engine, model);
network.loadStateDict(initialState(model, 1));
const optimizer = createOptimizer(engine, network.parameters, {
  type: "sgd",
  learningRate: 0.01,
  momentum: 0.9,
  weightDecay: 0,
  weightDecayOn: "all",
  nesterov: false,
});
const pixels = Uint8Array.from({ length: batch * size * size * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
const classes = Int32Array.from({ length: batch }, (_, i) => i % 10);
const seconds = [];
for (let step = 1; step <= steps; step++) {
  const start = performance.now();
  const raw = engine.upload(pixels, [batch, size, size, 3]);
  const labels = engine.upload(classes, [batch]);
  const images = engine.normalizeImages(raw, [0.49, 0.48, 0.45], [0.2, 0.2, 0.2]);
  const logits = network.forward(images, { seed: 1, step });
  const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
  network.backward(dlogits, (parameter, gradient) => optimizer.update(parameter, gradient, 0.01, step));
  await engine.download(loss);
  engine.dispose(raw, labels, images, logits, loss, dlogits);
  seconds.push((performance.now() - start) / 1000);
}
console.log(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
process.exit(0);
