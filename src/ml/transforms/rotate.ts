/**
 * Rotation about the centre with Pillow's bits; the image keeps its size, and what the rotated image leaves bare is
 * filled. Pillow walks over the output and looks up where each pixel comes from: by 16.16 fixed point for `nearest`,
 * in double for `bilinear` (`Image.rotate`, `Geometry.c`).
 */
import { type Fill, filledImage } from "./fill.ts";
import type { Image } from "./image.ts";

export type RotateInterpolation = "nearest" | "bilinear";

/** `PIL.Image.rotate(angle, interpolation, fillcolor=fill)`; `angle` in degrees counterclockwise, any number. */
export function rotate(image: Image, angle: number, interpolation: RotateInterpolation, fill: Fill): Image {
  const turn = ((angle % 360) + 360) % 360;
  if (turn === 0) return image;
  const radians = -(turn * (Math.PI / 180));
  const cos = roundTo15(Math.cos(radians));
  const sin = roundTo15(Math.sin(radians));
  const [centerX, centerY] = [image.width / 2, image.height / 2];
  const inverse: Affine = {
    cos,
    sin,
    offsetX: cos * -centerX + sin * -centerY + centerX,
    offsetY: -sin * -centerX + cos * -centerY + centerY,
  };
  const output = filledImage(image.height, image.width, image.channels, fill);
  if (interpolation === "nearest") copyNearest(image, output.data, inverse);
  else mixBilinear(image, output.data, inverse);
  return output;
}

/** Where output (x, y) comes from: (cos x + sin y + offsetX, -sin x + cos y + offsetY). */
interface Affine {
  readonly cos: number;
  readonly sin: number;
  readonly offsetX: number;
  readonly offsetY: number;
}

function copyNearest({ data, height, width, channels }: Image, output: Uint8Array, inverse: Affine): void {
  const { cos, sin, offsetX, offsetY } = inverse;
  const [stepX, stepY] = [toFixed16(cos), toFixed16(-sin)];
  const [nextRowX, nextRowY] = [toFixed16(sin), toFixed16(cos)];
  let rowX = toFixed16(offsetX + cos * 0.5 + sin * 0.5);
  let rowY = toFixed16(offsetY + -sin * 0.5 + cos * 0.5);
  let position = 0;
  for (let y = 0; y < height; y++) {
    let [fixedX, fixedY] = [rowX, rowY];
    for (let x = 0; x < width; x++) {
      const fromX = fixedX >> 16;
      const fromY = fixedY >> 16;
      if (fromX >= 0 && fromX < width && fromY >= 0 && fromY < height) {
        const from = (fromY * width + fromX) * channels;
        for (let channel = 0; channel < channels; channel++) output[position + channel] = data[from + channel]!;
      }
      position += channels;
      fixedX = (fixedX + stepX) | 0;
      fixedY = (fixedY + stepY) | 0;
    }
    rowX = (rowX + nextRowX) | 0;
    rowY = (rowY + nextRowY) | 0;
  }
}

function mixBilinear({ data, height, width, channels }: Image, output: Uint8Array, inverse: Affine): void {
  const { cos, sin, offsetX, offsetY } = inverse;
  let position = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, position += channels) {
      const sourceX = cos * (x + 0.5) + sin * (y + 0.5) + offsetX;
      const sourceY = -sin * (x + 0.5) + cos * (y + 0.5) + offsetY;
      if (!(sourceX >= 0 && sourceX < width && sourceY >= 0 && sourceY < height)) continue;
      const left = Math.floor(sourceX - 0.5);
      const top = Math.floor(sourceY - 0.5);
      const alongX = sourceX - 0.5 - left;
      const alongY = sourceY - 0.5 - top;
      // At the edge the outermost pixel stands for the one beyond it.
      const upper = Math.max(top, 0) * width;
      const lower = Math.min(top + 1, height - 1) * width;
      const leftColumn = Math.max(left, 0);
      const rightColumn = Math.min(left + 1, width - 1);
      const [a, b] = [(upper + leftColumn) * channels, (upper + rightColumn) * channels];
      const [c, d] = [(lower + leftColumn) * channels, (lower + rightColumn) * channels];
      for (let channel = 0; channel < channels; channel++) {
        const upperLeft = data[a + channel]!;
        const lowerLeft = data[c + channel]!;
        const above = upperLeft + (data[b + channel]! - upperLeft) * alongX;
        const below = lowerLeft + (data[d + channel]! - lowerLeft) * alongX;
        // Stored truncated, as Pillow's cast does.
        output[position + channel] = above + (below - above) * alongY;
      }
    }
  }
}

function toFixed16(value: number): number {
  return Math.floor(value * 65536 + 0.5) | 0;
}

/** Python's `round(value, 15)`. */
function roundTo15(value: number): number {
  return Number(value.toFixed(15));
}
