/** Parts of an image painted over with one colour: torchvision's `erase`, on uint8. */
import { type Fill, fillValues } from "./fill.ts";
import type { Image } from "./image.ts";
import type { Box } from "./random-box.ts";

/** `box` in the colour `fill`; what of it lies outside the image is left out. */
export function erase(image: Image, box: Box, fill: Fill): Image {
  const { height, width, channels } = image;
  const values = fillValues(fill, channels);
  const data = image.data.slice();
  const firstRow = Math.max(box.top, 0);
  const firstColumn = Math.max(box.left, 0);
  const endRow = Math.min(box.top + box.height, height);
  const endColumn = Math.min(box.left + box.width, width);
  for (let row = firstRow; row < endRow; row++)
    for (let column = firstColumn; column < endColumn; column++)
      for (let channel = 0; channel < channels; channel++)
        data[(row * width + column) * channels + channel] = values[channel]!;
  return { data, height, width, channels };
}
