/**
 * What is measured, with what, and which figures come out of it: the whole benchmark as data.
 *
 * A case is one piece of work; a peer is a program that can do it. `every` peers run in every round, `once` peers in
 * the first one only: most of them are context, no figure is made of them. A whole run takes a quarter of an hour.
 */

/** Timed seconds of one process, unless a case or `--steps` says otherwise. At least `minimumSteps` are timed. */
export const DEFAULTS = { threads: 2, rounds: 3, warmup: 2, minimumSteps: 2, budgetSeconds: 2 };

const SMALL_CROP = [{ randomCrop: { size: 32, padding: 4 } }, { randomHorizontalFlip: 0.5 }];
const LARGE_CROP = [{ resize: 120 }, { randomCrop: 110 }];

const resnet18 = { architecture: "resnet18" };
const resnet34 = { architecture: "resnet34" };
const STEP_PEERS = {
  every: ["tfpipe", "torch", "tfpipe-bfloat16", "torch-bfloat16"],
  once: ["tfpipe-direct", "tfpipe-winograd", "keras", "layers"],
};

const step = (name, title, model, size, batch, more = {}) => ({
  ...{ name, title, kind: "step", model, size: [size, size], batch, peers: STEP_PEERS },
  ...more,
});
const without = (...names) => ({
  peers: { every: STEP_PEERS.every, once: STEP_PEERS.once.filter((peer) => !names.includes(peer)) },
});
const evaluation = (name, size, batch) => ({
  ...step(name, `ResNet-34, ${size} px, batch ${batch}`, resnet34, size, batch),
  kind: "evaluate",
  rounds: 2,
  peers: { every: STEP_PEERS.every, once: [] },
});
const loading = (name, title, transforms) => ({
  ...{ name, title, kind: "load", transforms, batch: 64, rounds: 2, warmup: 8, minimumSteps: 40 },
  peers: { every: ["tfpipe", "torch"], once: [] },
});
const growth = (name, layers, size, batch) => ({
  ...{ name: `growth-${name}`, title: `${layers.join("-")}, ${size.join(" x ")} px, batch ${batch}`, kind: "step" },
  ...{ model: { block: "basic", layers }, size, batch, rounds: 2, peers: { every: ["tfpipe"], once: [] } },
});

export const CASES = [
  step("resnet34-32", "ResNet-34, 32 px, batch 64", resnet34, 32, 64),
  step("resnet34-110", "ResNet-34, 110 px, batch 32", resnet34, 110, 32),
  step("resnet34-110-b256", "ResNet-34, 110 px, batch 256", resnet34, 110, 256, {
    ...{ rounds: 2, warmup: 1, minimumSteps: 1 },
    peers: { every: ["tfpipe", "torch"], once: ["tfpipe-bfloat16", "torch-bfloat16"] },
  }),
  step("resnet50-64", "ResNet-50, 64 px, batch 32", { architecture: "resnet50" }, 64, 32, { rounds: 2 }),
  // tf.layers ignores groups without a word; grouped convolutions have but one way.
  step("resnext50-64", "ResNeXt-50, 64 px, batch 16", { architecture: "resnext50_32x4d" }, 64, 16, {
    ...{ rounds: 2 },
    ...without("layers", "tfpipe-direct", "tfpipe-winograd"),
  }),
  step("vgg16-64", "VGG-16, 64 px, batch 32", { architecture: "vgg16" }, 64, 32, { rounds: 2, warmup: 1 }),
  evaluation("evaluate-32", 32, 64),
  evaluation("evaluate-110", 110, 32),
  loading("load-110", "resize 120, random crop 110", LARGE_CROP),
  loading("load-32", "pad 4, random crop 32, flip", SMALL_CROP),
  {
    ...step("waiting-110", "ResNet-34, 110 px, batch 32", resnet34, 110, 32),
    ...{ kind: "wait", rounds: 2, transforms: LARGE_CROP, minimumSteps: 4, peers: { every: ["tfpipe"], once: [] } },
  },
  {
    ...step("waiting-32", "ResNet-34, 32 px, batch 64", resnet34, 32, 64),
    ...{ kind: "wait", rounds: 2, transforms: SMALL_CROP, minimumSteps: 8, peers: { every: ["tfpipe"], once: [] } },
  },
  step("wasm-resnet18-32", "ResNet-18, 32 px, batch 32", resnet18, 32, 32, {
    ...{ rounds: 2, warmup: 1, peers: { every: ["tfpipe-wasm", "layers-wasm"], once: [] } },
  }),
  growth("base", [2, 2, 2, 2], [64, 64], 32),
  growth("batch", [2, 2, 2, 2], [64, 64], 64),
  growth("area", [2, 2, 2, 2], [64, 128], 32),
  growth("depth", [4, 4, 4, 4], [64, 64], 32),
];

/** `uses`: the environment that its program runs in. `settings` are the engine's, for our own. */
export const PEERS = {
  tfpipe: {
    title: "tfpipe",
    color: "#0072B2",
    uses: "product",
    settings: { precision: "float32", convolution: "auto" },
  },
  torch: { title: "PyTorch", color: "#D55E00", uses: "torch", settings: { bfloat16: false } },
  "tfpipe-bfloat16": {
    ...{ title: "tfpipe bfloat16", color: "#56B4E9", uses: "product" },
    settings: { precision: "bfloat16", convolution: "auto" },
  },
  "torch-bfloat16": { title: "PyTorch bf16 autocast", color: "#E69F00", uses: "torch", settings: { bfloat16: true } },
  "tfpipe-direct": {
    ...{ title: "tfpipe, direct", color: "#08456b", uses: "product" },
    settings: { precision: "float32", convolution: "direct" },
  },
  "tfpipe-winograd": {
    ...{ title: "tfpipe, winograd", color: "#3c8f78", uses: "product" },
    settings: { precision: "float32", convolution: "winograd" },
  },
  keras: { title: "Keras graph", color: "#8a94a1", uses: "keras", settings: {} },
  layers: { title: "stock tf.layers", color: "#c3cad3", uses: "stock", settings: { backend: "tensorflow" } },
  "tfpipe-wasm": { title: "tfpipe wasm", color: "#0072B2", uses: "product", settings: { engine: "wasm" } },
  "layers-wasm": { title: "stock tfjs wasm", color: "#c3cad3", uses: "stock", settings: { backend: "wasm" } },
};

const STEPS = ["resnet34-32", "resnet34-110", "resnet34-110-b256", "resnet50-64", "resnext50-64", "vgg16-64"];

/**
 * The figures that are promised. `speed`: geometric mean over cases of images a second, ours by the peer's. `memory`:
 * peak bytes, ours by the peer's. `share`: largest share of step time spent waiting. `growth`: largest time(2x) / time(x).
 */
export const FIGURES = [
  {
    title: "float32 step against PyTorch channels_last, geometric mean",
    kind: "speed",
    cases: STEPS,
    pair: ["tfpipe", "torch"],
    must: 1.1,
    goal: 1.4,
  },
  {
    title: "bfloat16 step against PyTorch bf16 autocast, geometric mean",
    kind: "speed",
    cases: STEPS,
    pair: ["tfpipe-bfloat16", "torch-bfloat16"],
    must: 0.9,
    goal: 1.1,
  },
  {
    title: "ResNeXt-50 step against PyTorch",
    kind: "speed",
    cases: ["resnext50-64"],
    pair: ["tfpipe", "torch"],
    must: 0.9,
    goal: 1.3,
  },
  {
    title: "peak memory against PyTorch, ResNet-34, 110 px, batch 256",
    kind: "memory",
    cases: ["resnet34-110-b256"],
    pair: ["tfpipe", "torch"],
    must: 1.0,
    goal: 0.7,
  },
  {
    title: "waiting for data, share of step time",
    kind: "share",
    cases: ["waiting-110", "waiting-32"],
    must: 0.03,
    goal: 0.01,
  },
  {
    title: "wasm, ResNet-18, 32 px, batch 32, against stock tfjs wasm",
    kind: "speed",
    cases: ["wasm-resnet18-32"],
    pair: ["tfpipe-wasm", "layers-wasm"],
    must: 2,
    goal: 5,
  },
  {
    title: "growth: time(2x) / time(x) over batch, area, depth",
    kind: "growth",
    cases: ["growth-batch", "growth-area", "growth-depth"],
    must: 2.2,
    goal: 2.0,
  },
];
