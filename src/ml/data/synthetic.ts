/**
 * Images out of nothing, for tests and demos: figures of random place, size and colour (`shapes`), or noisy copies of one
 * picture a class (`blobs`).
 *
 * Image i of a split depends on (settings, split, i) alone, and on every machine it has the same bits: only sums, products
 * and square roots are taken, which IEEE 754 rounds in one way; no sine, no logarithm.
 */
import { createRng, type Rng } from "../../rng.ts";
import { type ImageSplit, type ImageSplits, imagesPerPiece } from "./image-split.ts";

export interface SyntheticSettings {
  readonly kind: "shapes" | "blobs";
  /** At most `SHAPES.length` of `shapes`. */
  readonly numClasses: number;
  readonly imageSize: number | readonly [height: number, width: number];
  readonly channels: 1 | 3;
  readonly trainCount: number;
  readonly testCount: number;
  /** Standard deviation, as a part of the range of a pixel. */
  readonly noise: number;
  readonly seed: number;
}

/** Whether a figure of radius 1 around (0, 0) covers the point (x, y), y downwards. */
type Figure = (x: number, y: number) => boolean;

/** The figures in the order of their labels. */
export const SHAPES: readonly (readonly [name: string, covers: Figure])[] = [
  ["circle", (x, y) => x * x + y * y <= 0.9],
  ["square", (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.8],
  ["triangle", (x, y) => y <= 0.8 && 2 * Math.abs(x) <= y + 1],
  ["cross", (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.3 && Math.max(Math.abs(x), Math.abs(y)) <= 1],
  ["ring", (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.4],
  ["diamond", (x, y) => Math.abs(x) + Math.abs(y) <= 1],
  ["frame", (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.9 && Math.max(Math.abs(x), Math.abs(y)) >= 0.55],
  ["saltire", (x, y) => Math.abs(Math.abs(x) - Math.abs(y)) <= 0.3 && Math.max(Math.abs(x), Math.abs(y)) <= 0.9],
  ["beam", (x, y) => Math.abs(y) <= 0.3 && Math.abs(x) <= 1],
  ["pillar", (x, y) => Math.abs(x) <= 0.3 && Math.abs(y) <= 1],
];

export function syntheticClassNames({ kind, numClasses }: SyntheticSettings): readonly string[] {
  return Array.from(
    { length: numClasses },
    (_, label) => (kind === "shapes" ? SHAPES[label]?.[0] : undefined) ?? String(label),
  );
}

export function syntheticSize({ imageSize }: SyntheticSettings): readonly [height: number, width: number] {
  return typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
}

/** Labels go round: image i has label i modulo the number of classes. */
export function createSynthetic(settings: SyntheticSettings): ImageSplits {
  const [height, width] = syntheticSize(settings);
  const { channels, numClasses, seed, trainCount, testCount } = settings;
  const imageBytes = height * width * channels;
  const draw = settings.kind === "shapes" ? shapesPainter(settings) : blobsPainter(settings);
  const splitOf = (name: string, count: number): ImageSplit => ({
    count,
    height,
    width,
    channels,
    async read(use) {
      const most = Math.min(count, imagesPerPiece(imageBytes));
      for (let first = 0; first < count; first += most) {
        const labels = Int32Array.from({ length: Math.min(most, count - first) }, (_, i) => (first + i) % numClasses);
        const images = new Uint8Array(labels.length * imageBytes);
        for (const [i, label] of labels.entries())
          draw(
            label,
            createRng(seed, "synthetic", name, first + i),
            images.subarray(i * imageBytes, (i + 1) * imageBytes),
          );
        use(first, images, labels);
        // So that other work, and a request to stop, have their turn.
        await new Promise(setImmediate);
      }
    },
  });
  return {
    train: splitOf("train", trainCount),
    test: splitOf("test", testCount),
    classNames: syntheticClassNames(settings),
  };
}

/** Draws one image into `out`, [height, width, channels]. */
type Painter = (label: number, rng: Rng, out: Uint8Array) => void;

function shapesPainter(settings: SyntheticSettings): Painter {
  const [height, width] = syntheticSize(settings);
  const { channels, noise } = settings;
  const addNoise = noiseOf(noise);
  return (label, rng, out) => {
    const covers = SHAPES[label]![1];
    const radius = Math.min(height, width) * (0.22 + 0.23 * rng.uniform());
    const centerY = radius + (height - 2 * radius) * rng.uniform();
    const centerX = radius + (width - 2 * radius) * rng.uniform();
    const [ground, figure] = drawColours(rng, channels);
    // Coordinates of two points in each row and column, in units of the figure's radius.
    const xs = Float64Array.from({ length: 2 * width }, (_, i) => ((i >> 1) + QUARTERS[i & 1]! - centerX) / radius);
    const ys = Float64Array.from({ length: 2 * height }, (_, i) => ((i >> 1) + QUARTERS[i & 1]! - centerY) / radius);
    let at = 0;
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        // Four points of the pixel, so that small figures keep their form.
        let covered = 0;
        for (let point = 0; point < 4; point++) {
          const x = xs[2 * column + (point & 1)]!;
          const y = ys[2 * row + (point >> 1)]!;
          if (x >= -1 && x <= 1 && y >= -1 && y <= 1 && covers(x, y)) covered++;
        }
        for (let channel = 0; channel < channels; channel++) {
          const value = ground[channel]! + ((figure[channel]! - ground[channel]!) * covered) / 4;
          out[at++] = addNoise(value, rng);
        }
      }
  };
}

const QUARTERS = [0.25, 0.75];

/** Two random colours. The figure is the lighter one, by 60 in every channel on average, so that figures stand out. */
function drawColours(rng: Rng, channels: number): readonly [ground: readonly number[], figure: readonly number[]] {
  for (;;) {
    const ground = Array.from({ length: channels }, () => rng.integer(256));
    const figure = Array.from({ length: channels }, () => rng.integer(256));
    const difference = figure.reduce((sum, value, channel) => sum + value - ground[channel]!, 0);
    if (difference >= 60 * channels) return [ground, figure];
  }
}

/** Cells of a class's picture, in each direction. */
const CELLS = 4;

function blobsPainter(settings: SyntheticSettings): Painter {
  const [height, width] = syntheticSize(settings);
  const { channels, noise, seed } = settings;
  const addNoise = noiseOf(noise);
  const prototypes = new Map<number, Uint8Array>();
  const prototypeOf = (label: number): Uint8Array => {
    const known = prototypes.get(label);
    if (known !== undefined) return known;
    const rng = createRng(seed, "synthetic", "prototype", label);
    const prototype = Uint8Array.from({ length: CELLS * CELLS * channels }, () => rng.integer(256));
    prototypes.set(label, prototype);
    return prototype;
  };
  return (label, rng, out) => {
    const prototype = prototypeOf(label);
    let at = 0;
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const cell = Math.floor((row * CELLS) / height) * CELLS + Math.floor((column * CELLS) / width);
        for (let channel = 0; channel < channels; channel++)
          out[at++] = addNoise(prototype[cell * channels + channel]!, rng);
      }
  };
}

/**
 * A value with noise of standard deviation 255 x `noise`, rounded and kept within 0 to 255. The noise is the sum of four
 * uniform bytes, which is nearly normal (Irwin-Hall) and needs no logarithm.
 */
function noiseOf(noise: number): (value: number, rng: Rng) => number {
  if (noise === 0) return (value) => Math.round(value);
  // A byte's variance is (256^2 - 1) / 12; four of them have a mean of 510.
  const scale = (255 * noise) / Math.sqrt((4 * 65535) / 12);
  return (value, rng) => {
    const bits = rng.uint32();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    return Math.min(255, Math.max(0, Math.round(value + (sum - 510) * scale)));
  };
}
