/** A colour for pixels that an image does not have: one value for all channels, or one for each. */
import { TransformProblem } from "./compiled-transform.ts";
import type { Image } from "./image.ts";

/** 0 to 255. */
export type Fill = number | readonly number[];

/** An image of one colour. A list must have as many values as there are channels. */
export function filledImage(height: number, width: number, channels: number, fill: Fill): Image {
  const data = new Uint8Array(height * width * channels);
  const values = fillValues(fill, channels);
  if (values.every((value) => value === values[0])) data.fill(values[0]!);
  else for (let i = 0; i < data.length; i += channels) data.set(values, i);
  return { data, height, width, channels };
}

/** `fill` for each channel. */
export function fillValues(fill: Fill, channels: number): readonly number[] {
  const values = typeof fill === "number" ? Array<number>(channels).fill(fill) : fill;
  if (values.length !== channels) throw new Error(`a colour of ${values.length} values for ${channels} channels`);
  return values;
}

/** Throws `TransformProblem` where `fill`, at `path` in the transform, is for other images. */
export function checkFill(fill: Fill, channels: number | undefined, path: readonly string[]): void {
  if (typeof fill === "number" || channels === undefined || fill.length === channels) return;
  throw new TransformProblem(
    `${path.join(".")} has ${counted(fill.length, "value")}, but the images have ${counted(channels, "channel")}`,
    "one number stands for every channel",
    path,
  );
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
