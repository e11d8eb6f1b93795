/** What a transform that erases paints with. */
import { checkFill, type Fill } from "./fill.ts";

/** 0..255 for all channels or each, or `mean`: the mean that is subtracted afterwards (`eraseWithMean` fills it in). */
export type ErasedValue = Fill | "mean";

/** Asked for when there is something to erase: sizes are known before a measured mean is. */
export function erasingColor(value: ErasedValue, channels: number | undefined, path: readonly string[]): () => Fill {
  if (value === "mean")
    return () => {
      throw new Error(`${path.join(".")}: the mean was not filled in`);
    };
  checkFill(value, channels, path);
  return () => value;
}

/** `mean` (of each channel, in units of 0..1) as a colour. */
export function meanColor(mean: readonly number[]): readonly number[] {
  return mean.map((value) => Math.round(value * 255));
}
