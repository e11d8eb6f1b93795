/**
 * How many floating-point operations a second this machine does in training convolutions: what an ETA is made of before
 * anything has run. Sizes are those of a ResNet's middle stages; the best of a few rounds counts, since anything else
 * that runs only slows it. An engine that is slow on a small layer is not asked for the others: it would take minutes.
 */
import type { Engine } from "./engine.ts";

interface Size {
  readonly images: number;
  readonly size: number;
  readonly channels: number;
}

const SMALL: Size = { images: 2, size: 14, channels: 64 };
const LAYERS: readonly Size[] = [
  { images: 8, size: 28, channels: 128 },
  { images: 8, size: 14, channels: 256 },
];
const GEOMETRY = { stride: 1, padding: 1, dilation: 1, groups: 1 } as const;
const ROUNDS = 4;
/** Below this a round of the larger layers would take more than two seconds. */
const SLOW_FLOPS_PER_SECOND = 3e9;

/** Floating-point operations (a multiplication and an addition are two) a second. `nowMs` is a monotonic clock. */
export async function measureRate(engine: Engine, nowMs: () => number): Promise<number> {
  const small = await rateOf(engine, SMALL, nowMs);
  if (small < SLOW_FLOPS_PER_SECOND) return small;
  let best = 0;
  for (const layer of LAYERS) best = Math.max(best, await rateOf(engine, layer, nowMs));
  return best;
}

/** Of the best round but the first, which also loads and compiles. */
async function rateOf(engine: Engine, { images, size, channels }: Size, nowMs: () => number): Promise<number> {
  let best = 0;
  const elements = images * size * size * channels;
  const x = engine.upload(new Float32Array(elements).fill(0.5), [images, size, size, channels]);
  const filter = engine.variable(new Float32Array(9 * channels * channels).fill(0.01), [3, 3, channels, channels]);
  const operations = 3 * 2 * 9 * elements * channels;
  for (let round = 0; round < ROUNDS; round++) {
    const start = nowMs();
    const y = engine.conv2d(x, filter, GEOMETRY);
    const { dx, dfilter } = engine.conv2dGradient(y, x, filter, GEOMETRY, true);
    await engine.download(dfilter);
    const seconds = (nowMs() - start) / 1000;
    engine.dispose(y, dx, dfilter);
    if (round > 0) best = Math.max(best, operations / seconds);
  }
  engine.dispose(x);
  engine.disposeVariable(filter);
  return best;
}
