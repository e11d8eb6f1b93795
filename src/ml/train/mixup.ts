/**
 * Mixup (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018): each image is blended with another one of
 * its batch, and so are their labels, by one share per batch drawn from Beta(alpha, alpha), as in the paper's code.
 *
 * Blended where pixels become numbers, behind the loader: uint8 could not hold the result. Host and engine are left with
 * one pass over the batch, whose values are exact to the last rounding and the same on every engine.
 */
import { createRng, type Rng } from "../../rng.ts";
import type { Batch } from "../data/loader.ts";
import type { Engine, Tensor } from "../engine/engine.ts";
import type { ImageSource } from "./image-source.ts";

export interface MixupSettings {
  /** Of Beta(alpha, alpha): small ones leave most batches nearly as they are, 1 draws any share alike. */
  readonly alpha: number;
}

export interface Mix {
  /** What each image keeps of itself; the rest is its partner's. */
  readonly share: number;
  /** [n], the partner of each image in its batch: a permutation. */
  readonly partners: Uint32Array;
}

/** The mix of `count` images in a step (counted over the whole training): a function of the arguments alone. */
export function drawMix({ alpha }: MixupSettings, seed: number, step: number, count: number): Mix {
  const rng = createRng(seed, "mixup", step);
  return { share: beta(rng, alpha), partners: rng.permutation(count) };
}

/** The blended batch on the engine: float32 [n, h, w, c], normalised. The caller frees it. */
export function uploadMixedImages(engine: Engine, { images, shape }: Batch, source: ImageSource, mix: Mix): Tensor {
  const [count, height, width, channels] = shape;
  const size = height * width * channels;
  const [own, other] = [normalized(source, mix.share), normalized(source, 1 - mix.share)];
  const mixed = new Float32Array(count * size);
  for (let image = 0; image < count; image++) {
    const [begin, partner] = [image * size, mix.partners[image]! * size];
    for (let i = 0; i < size; i += channels)
      for (let channel = 0; channel < channels; channel++) {
        const at = i + channel;
        const table = channel * 256;
        mixed[begin + at] = own[table + images[begin + at]!]! + other[table + images[partner + at]!]!;
      }
  }
  return engine.upload(mixed, shape);
}

/** [channels, 256]: `share` of each pixel value, normalised. */
function normalized({ mean, std }: ImageSource, share: number): Float64Array {
  return Float64Array.from(
    { length: 256 * mean.length },
    (_, i) => (share * ((i % 256) / 255 - mean[i >> 8]!)) / std[i >> 8]!,
  );
}

/** Beta(alpha, alpha): Jöhnk (1964) up to 1, else from two gammas. */
function beta(rng: Rng, alpha: number): number {
  if (alpha > 1) {
    const [x, y] = [gamma(rng, alpha), gamma(rng, alpha)];
    return x / (x + y);
  }
  for (;;) {
    // Above 0, so that logarithms are finite.
    const [u, v] = [(rng.uint32() + 1) / 2 ** 32, (rng.uint32() + 1) / 2 ** 32];
    const [x, y] = [u ** (1 / alpha), v ** (1 / alpha)];
    if (x + y > 1) continue;
    if (x + y > 0) return x / (x + y);
    // Both underflowed: the same ratio through logarithms.
    return 1 / (1 + Math.exp((Math.log(v) - Math.log(u)) / alpha));
  }
}

/** Gamma(shape, 1) for shapes from 1 on (Marsaglia & Tsang 2000). */
function gamma(rng: Rng, shape: number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const u = (rng.uint32() + 1) / 2 ** 32;
    if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
