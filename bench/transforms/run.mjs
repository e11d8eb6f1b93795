/**
 * How long each transform takes in one thread: images per second and nanoseconds per pixel of the larger of input and
 * output. What a loader can give with w threads is w times as much, so it can be held against the images per second of a
 * training step.
 *
 *   node bench/transforms/run.mjs [--only NAME] [--seconds S]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values: flags } = parseArgs({
  options: { only: { type: "string", default: "" }, seconds: { type: "string", default: "0.3" } },
});
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = mkdtempSync(join(tmpdir(), "tfpipe-bench-"));
try {
  const { compileTransforms, createRng } = await importSources();
  for (const [height, width] of [
    [32, 32],
    [375, 500],
  ])
    measureAll(compileTransforms, createRng, height, width);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measureAll(compileTransforms, createRng, height, width) {
  const isSmall = height === 32;
  const [large, crop] = isSmall ? [120, 28] : [256, 224];
  const cases = {
    "resize nearest": [{ resize: { size: large, interpolation: "nearest" } }],
    "resize bilinear": [{ resize: large }],
    "resize bicubic": [{ resize: { size: large, interpolation: "bicubic" } }],
    centerCrop: [{ centerCrop: crop }],
    "randomCrop, padding 4": [{ randomCrop: { size: crop, padding: 4 } }],
    randomHorizontalFlip: [{ randomHorizontalFlip: 1 }],
    "randomResizedCrop bilinear": [{ randomResizedCrop: crop }],
    "randomResizedCrop bicubic": [{ randomResizedCrop: { size: crop, interpolation: "bicubic" } }],
    "randomRotation nearest": [{ randomRotation: 15 }],
    "randomRotation bilinear": [{ randomRotation: { degrees: 15, interpolation: "bilinear" } }],
    "colorJitter brightness": [{ colorJitter: { brightness: 0.4 } }],
    "colorJitter contrast": [{ colorJitter: { contrast: 0.4 } }],
    "colorJitter saturation": [{ colorJitter: { saturation: 0.4 } }],
    "colorJitter hue": [{ colorJitter: { hue: 0.1 } }],
    "colorJitter, all four": [{ colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 } }],
    randomErasing: [{ randomErasing: { probability: 1, value: 0 } }],
    cutout: [{ cutout: { size: crop / 2, value: 0 } }],
    "CIFAR recipe": [
      { randomCrop: { size: height, padding: 4 } },
      { randomHorizontalFlip: 0.5 },
      { cutout: { size: 8, value: 0 } },
    ],
    "ImageNet recipe": [{ randomResizedCrop: crop }, { randomHorizontalFlip: 0.5 }, { colorJitter: 0.4 }],
  };
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);
  const image = { data, height, width, channels: 3 };
  console.log(`\n${height} x ${width} RGB${"".padEnd(18)}images/s   ns/pixel`);
  for (const [name, transforms] of Object.entries(cases)) {
    if (!name.includes(flags.only)) continue;
    const transform = compileTransforms(transforms, [height, width]);
    const pixels = Math.max(height * width, transform.size[0] * transform.size[1]);
    const seconds = secondsPerCall((i) => transform.apply(image, createRng(1, "bench", i)));
    console.log(
      `${name.padEnd(30)}${Math.round(1 / seconds)
        .toLocaleString("en")
        .padStart(10)}${((seconds * 1e9) / pixels).toFixed(1).padStart(10)}`,
    );
  }
}

/** Processor time of the best of five rounds, after one that warms up: other programs on the machine matter less. */
function secondsPerCall(call) {
  const roundMs = (Number(flags.seconds) * 1000) / 5;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= 5; round++) {
    const until = performance.now() + roundMs;
    const before = process.cpuUsage();
    let calls = 0;
    while (calls === 0 || performance.now() < until) call(calls++);
    const { user, system } = process.cpuUsage(before);
    if (round > 0) best = Math.min(best, (user + system) / 1e6 / calls);
  }
  return best;
}

async function importSources() {
  const outfile = join(folder, "transforms.mjs");
  await build({
    stdin: {
      contents: `export { compileTransforms } from "./src/ml/transforms/transform-list.ts"; export { createRng } from "./src/rng.ts";`,
      resolveDir: root,
    },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
    logLevel: "warning",
  });
  return import(pathToFileURL(outfile).href);
}
