/**
 * Mean and standard deviation of each channel over a whole dataset, exactly: pixels are counted by value, so the sums are
 * whole numbers and neither order nor size of the dataset can round them.
 */
import type { Dataset } from "./dataset.ts";

export interface ChannelStatistics {
  /** Per channel, in units of 0..1. */
  readonly mean: readonly number[];
  /** Population standard deviation, in units of 0..1. */
  readonly std: readonly number[];
  /** Images. */
  readonly count: number;
}

/** Over the stored pixels, before any transform. `onImage` is called after every image with the number done. */
export function measureChannels(dataset: Dataset, onImage: (done: number) => void = () => {}): ChannelStatistics {
  const { channels, length } = dataset;
  const counts = new Float64Array(channels * 256);
  for (let index = 0; index < length; index++) {
    const image = dataset.image(index);
    for (let at = 0; at < image.length; at += channels)
      for (let channel = 0; channel < channels; channel++) counts[channel * 256 + image[at + channel]!]!++;
    onImage(index + 1);
  }
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const histogram = counts.subarray(channel * 256, (channel + 1) * 256);
    const total = histogram.reduce((sum, n) => sum + n, 0);
    const average = histogram.reduce((sum, n, value) => sum + n * value, 0) / total;
    const variance = histogram.reduce((sum, n, value) => sum + n * (value - average) ** 2, 0) / total;
    mean.push(average / 255);
    std.push(Math.sqrt(variance) / 255);
  }
  return { mean, std, count: length };
}

/**
 * Whether data with `measured` statistics, normalised with declared ones, is far from mean 0 (by more than 0.1) or from
 * standard deviation 1 (outside 0.7 to 1.4) in some channel.
 */
export function declaredFarFromMeasured(
  declared: Omit<ChannelStatistics, "count">,
  measured: ChannelStatistics,
): boolean {
  return measured.mean.some((mean, channel) => {
    const left = (mean - declared.mean[channel]!) / declared.std[channel]!;
    const spread = measured.std[channel]! / declared.std[channel]!;
    return Math.abs(left) > 0.1 || spread < 0.7 || spread > 1.4;
  });
}
