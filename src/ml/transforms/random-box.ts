/** A rectangle of random area, shape and place inside an image, as torchvision draws it for a crop or for erasing. */
import type { Rng } from "../../rng.ts";
import type { ImageSize } from "./image.ts";
import { drawBetween, type Range } from "./range.ts";
import { roundHalfToEven } from "./round-half-to-even.ts";

export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export interface BoxRanges {
  /** Share of the image's area. */
  readonly scale: Range;
  /** The first side by the second, drawn uniformly in its logarithm. */
  readonly ratio: Range;
}

/** How often a shape that does not fit is drawn anew. */
const TRIES = 10;

/**
 * Where the crop of `RandomResizedCrop` is: width / height is in `ratio`. After ten shapes that do not fit, the largest
 * crop in the middle whose shape is allowed.
 */
export function drawResizedCropBox(rng: Rng, [height, width]: ImageSize, ranges: BoxRanges): Box {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const [boxWidth, boxHeight] = drawSides(rng, height * width, ranges);
    if (boxWidth > 0 && boxWidth <= width && boxHeight > 0 && boxHeight <= height)
      return placeBox(rng, [height, width], [boxHeight, boxWidth]);
  }
  const shape = width / height;
  const [narrowest, widest] = ranges.ratio;
  const boxWidth = shape > widest ? Math.max(roundHalfToEven(height * widest), 1) : width;
  const boxHeight = shape < narrowest ? Math.max(roundHalfToEven(width / narrowest), 1) : height;
  return {
    top: Math.floor((height - boxHeight) / 2),
    left: Math.floor((width - boxWidth) / 2),
    height: boxHeight,
    width: boxWidth,
  };
}

/**
 * What `RandomErasing` erases: height / width is in `ratio`, and both sides are smaller than the image's. Undefined after
 * ten shapes that do not fit: torchvision leaves the image as it is then.
 */
export function drawErasedBox(rng: Rng, [height, width]: ImageSize, ranges: BoxRanges): Box | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const [boxHeight, boxWidth] = drawSides(rng, height * width, ranges);
    if (boxHeight < height && boxWidth < width) return placeBox(rng, [height, width], [boxHeight, boxWidth]);
  }
  return undefined;
}

/** Two sides with a drawn area and a drawn ratio (first to second), rounded. */
function drawSides(rng: Rng, imageArea: number, { scale, ratio }: BoxRanges): readonly [number, number] {
  const area = imageArea * drawBetween(rng, scale);
  const shape = Math.exp(drawBetween(rng, [Math.log(ratio[0]), Math.log(ratio[1])]));
  return [roundHalfToEven(Math.sqrt(area * shape)), roundHalfToEven(Math.sqrt(area / shape))];
}

function placeBox(rng: Rng, [height, width]: ImageSize, [boxHeight, boxWidth]: ImageSize): Box {
  const top = rng.integer(height - boxHeight + 1);
  const left = rng.integer(width - boxWidth + 1);
  return { top, left, height: boxHeight, width: boxWidth };
}
