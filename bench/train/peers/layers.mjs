/**
 * Stock TensorFlow.js: `tf.layers` and `trainOnBatch`, on tfjs-node (with our engine's TensorFlow library) or on the wasm
 * backend. The latter lacks the filter gradient of a convolution, so that one is composed of its forward convolution.
 */
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import util from "node:util";
import { environmentFolder } from "../places.mjs";
import { peakBytes, reply, request, startStopwatch } from "./process.mjs";
import { MEAN, makeLabels, makePixels, STD } from "./training.mjs";

// tfjs-node calls two functions that Node 23 dropped.
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
const require = createRequire(join(environmentFolder, "stock", "package.json"));
const { batch, size, settings, model: spec } = request;
const tf = await openTensorflow(settings.backend);

const model = tf.model(createModel(tf.input({ shape: [...size, 3] })));
model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: "sparseCategoricalCrossentropy" });
const pixels = makePixels(batch, size);
const classes = makeLabels(batch);
const stopwatch = startStopwatch();
do {
  const images = tf.tidy(() =>
    tf
      .tensor4d(pixels, [batch, ...size, 3], "int32")
      .toFloat()
      .div(255)
      .sub(tf.tensor1d(MEAN))
      .div(tf.tensor1d(STD)),
  );
  const labels = tf.tensor1d(Float32Array.from(classes));
  await model.trainOnBatch(images, labels);
  tf.dispose([images, labels]);
} while (!stopwatch.lap());
const { seconds } = stopwatch;
reply({ seconds, peakBytes: peakBytes(), version: `TensorFlow.js ${tf.version["tfjs-core"]} (${tf.getBackend()})` });

async function openTensorflow(backend) {
  if (backend === "tensorflow") return require("@tensorflow/tfjs-node");
  const tf = require("@tensorflow/tfjs");
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  const folder = join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist");
  wasm.setWasmPaths(folder + sep);
  if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend did not start");
  composeFilterGradient(tf);
  return tf;
}

/**
 * dfilter[kh, kw, ci, co] = sum over n, i, j of x[n, s i + kh - p, s j + kw - p, ci] dy[n, i, j, co]: a convolution of
 * [ci, h, w, n] with filters [oh, ow, n, co], dilated by the stride.
 */
function composeFilterGradient(tf) {
  tf.registerKernel({
    kernelName: "Conv2DBackpropFilter",
    backendName: "wasm",
    kernelFunc({ inputs, backend, attrs }) {
      const { strides, pad, filterShape, dimRoundingMode } = attrs;
      const call = (kernel, given, attributes) =>
        tf.getKernel(kernel, "wasm").kernelFunc({ inputs: given, backend, attrs: attributes });
      const transpose = (x, perm) => call("Transpose", { x }, { perm });
      const shape = tf.backend_util.computeConv2DInfo(inputs.x.shape, filterShape, strides, 1, pad, dimRoundingMode);
      const { top, bottom, left, right } = shape.padInfo;
      const none = [0, 0];
      const x = transpose(inputs.x, [3, 1, 2, 0]);
      const filter = transpose(inputs.dy, [1, 2, 0, 3]);
      const whole = call(
        "Conv2D",
        { x, filter },
        {
          ...{ strides: [1, 1], dilations: strides, dataFormat: "NHWC", dimRoundingMode },
          pad: [none, [top, bottom], [left, right], none],
        },
      );
      const [height, width, cin, cout] = filterShape;
      const cut = call("Slice", { x: whole }, { begin: [0, 0, 0, 0], size: [cin, height, width, cout] });
      const result = transpose(cut, [1, 2, 0, 3]);
      for (const { dataId } of [x, filter, whole, cut]) backend.disposeData(dataId);
      return result;
    },
  });
}

function createModel(input) {
  const logits = spec.architecture === "vgg16" ? vgg16(input) : resnet(input, ...RESNETS()[spec.architecture]);
  return { inputs: input, outputs: tf.layers.softmax().apply(logits) };
}

function RESNETS() {
  return {
    resnet18: [false, [2, 2, 2, 2]],
    resnet34: [false, [3, 4, 6, 3]],
    resnet50: [true, [3, 4, 6, 3]],
  };
}

/** Symmetric padding, as in PyTorch; equal to `same` where the stride is 1. */
function conv(x, filters, kernelSize, strides = 1, useBias = false) {
  const padding = strides > 1 ? "valid" : "same";
  const padded =
    strides > 1 && kernelSize > 1 ? tf.layers.zeroPadding2d({ padding: (kernelSize - 1) / 2 }).apply(x) : x;
  return tf.layers.conv2d({ filters, kernelSize, strides, padding, useBias }).apply(padded);
}
function norm(x) {
  return tf.layers.batchNormalization({ momentum: 0.9, epsilon: 1e-5 }).apply(x);
}
function relu(x) {
  return tf.layers.reLU().apply(x);
}

function resnet(input, bottleneck, layers) {
  let x = relu(norm(conv(input, 64, 7, 2)));
  x = tf.layers.zeroPadding2d({ padding: 1 }).apply(x);
  x = tf.layers.maxPooling2d({ poolSize: 3, strides: 2 }).apply(x);
  for (const [stage, blocks] of layers.entries()) {
    const width = 64 << stage;
    const out = bottleneck ? 4 * width : width;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      let identity = x;
      if (bottleneck) {
        x = relu(norm(conv(x, width, 1)));
        x = relu(norm(conv(x, width, 3, stride)));
        x = norm(conv(x, out, 1));
      } else {
        x = relu(norm(conv(x, out, 3, stride)));
        x = norm(conv(x, out, 3));
      }
      if (stride !== 1 || identity.shape.at(-1) !== out) identity = norm(conv(identity, out, 1, stride));
      x = relu(tf.layers.add().apply([x, identity]));
    }
  }
  return tf.layers.dense({ units: 10 }).apply(tf.layers.globalAveragePooling2d({}).apply(x));
}

function vgg16(input) {
  let x = input;
  for (const [part, convolutions] of [2, 2, 3, 3, 3].entries()) {
    for (let i = 0; i < convolutions; i++) x = relu(conv(x, Math.min(64 << part, 512), 3, 1, true));
    x = tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }).apply(x);
  }
  x = tf.layers.flatten().apply(new (adaptivePooling())({}).apply(x));
  for (let i = 0; i < 2; i++) {
    x = tf.layers.dense({ units: 4096, activation: "relu" }).apply(x);
    x = tf.layers.dropout({ rate: 0.5 }).apply(x);
  }
  return tf.layers.dense({ units: 10 }).apply(x);
}

/** PyTorch's AdaptiveAvgPool2d(7), which spreads a smaller map. */
function adaptivePooling() {
  return class AdaptivePooling extends tf.layers.Layer {
    static className = "AdaptivePooling";
    computeOutputShape([n, , , channels]) {
      return [n, 7, 7, channels];
    }
    call(inputs) {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? inputs[0] : inputs;
        const side = x.shape[1];
        const rows = Array.from({ length: 7 }, (_, i) => {
          const [begin, end] = [Math.floor((i * side) / 7), Math.ceil(((i + 1) * side) / 7)];
          return Array.from({ length: side }, (_, j) => (j >= begin && j < end ? 1 / (end - begin) : 0));
        });
        // Both axes at once: [49, side^2] by [n, side^2, c]. Its einsum has no gradient.
        const spread = tf.tensor2d(rows.flatMap((a) => rows.map((b) => a.flatMap((p) => b.map((q) => p * q)))));
        const [channels, cells] = [x.shape[3], side * side];
        const pooled = tf.matMul(spread.expandDims(0).tile([x.shape[0], 1, 1]), x.reshape([-1, cells, channels]));
        return pooled.reshape([-1, 7, 7, channels]);
      });
    }
  };
}
