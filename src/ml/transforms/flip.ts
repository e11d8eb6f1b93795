import type { Image } from "./image.ts";

/** Left and right exchanged. */
export function flipHorizontal(image: Image): Image {
  const { height, width, channels, data: input } = image;
  const data = new Uint8Array(input.length);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const from = (row * width + column) * channels;
      const to = (row * width + width - 1 - column) * channels;
      for (let channel = 0; channel < channels; channel++) data[to + channel] = input[from + channel]!;
    }
  return { data, height, width, channels };
}
