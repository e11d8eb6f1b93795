/** Cropping, with zeros where the window leaves the image (torchvision's `padding` before a crop). */
import type { Image, ImageSize } from "./image.ts";
import { roundHalfToEven } from "./round-half-to-even.ts";

/** The window of `size` whose upper left corner is at (top, left); both may be negative. */
export function crop(image: Image, top: number, left: number, [height, width]: ImageSize): Image {
  const { channels } = image;
  const data = new Uint8Array(height * width * channels);
  const firstColumn = Math.max(left, 0);
  const endColumn = Math.min(left + width, image.width);
  const endRow = Math.min(top + height, image.height);
  if (firstColumn < endColumn)
    for (let row = Math.max(top, 0); row < endRow; row++) {
      const start = row * image.width * channels;
      const target = ((row - top) * width + (firstColumn - left)) * channels;
      data.set(image.data.subarray(start + firstColumn * channels, start + endColumn * channels), target);
    }
  return { data, height, width, channels };
}

/** torchvision's `CenterCrop`: an odd remainder is rounded half to even. `size` must fit. */
export function centerCrop(image: Image, size: ImageSize): Image {
  return crop(image, roundHalfToEven((image.height - size[0]) / 2), roundHalfToEven((image.width - size[1]) / 2), size);
}
