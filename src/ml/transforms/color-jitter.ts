/** `colorJitter`: brightness, contrast, saturation and hue changed by random factors in random order (torchvision's). */
import type { Rng } from "../../rng.ts";
import { adjustBrightness, adjustContrast, adjustSaturation } from "./blend.ts";
import { type CompiledTransform, type TransformInput, TransformProblem } from "./compiled-transform.ts";
import { adjustHue } from "./hue.ts";
import type { Image } from "./image.ts";
import { drawBetween, orderedRange, type Range, rangeAround } from "./range.ts";

/** In torchvision's order, by which its orders are numbered. */
const COMPONENTS = ["brightness", "contrast", "saturation", "hue"] as const;
export type ColorComponent = (typeof COMPONENTS)[number];

/** A number x is a factor from max(0, 1 - x) to 1 + x; of `hue`, a turn from -x to x. Left out or 0: not changed. */
export type ColorJitterFactors = { readonly [Component in ColorComponent]?: number | Range };

/** A number is that of brightness, contrast and saturation alike. */
export type ColorJitterSetting = number | ColorJitterFactors;

/** What is done, in this order. */
export type DrawnColorJitter = readonly (readonly [component: ColorComponent, factor: number])[];

export function compileColorJitter(setting: ColorJitterSetting, { size, channels }: TransformInput): CompiledTransform {
  const factors =
    typeof setting === "number" ? { brightness: setting, contrast: setting, saturation: setting } : setting;
  const ranges = jitterRanges(factors);
  const changed = Object.keys(ranges);
  if (changed.length === 0)
    throw new TransformProblem(
      "colorJitter changes nothing",
      "give one of brightness, contrast, saturation and hue a number above 0",
      ["colorJitter"],
    );
  if (channels !== undefined && channels !== 1 && channels !== 3)
    throw new TransformProblem(`colorJitter is for images of 1 or 3 channels, not of ${channels}`, undefined, [
      "colorJitter",
    ]);
  const coloured = (["saturation", "hue"] as const).find((component) => changed.includes(component));
  if (channels === 1 && coloured !== undefined)
    throw new TransformProblem(
      `colorJitter changes the ${coloured}, which images of 1 channel do not have`,
      "colorJitter: { brightness: 0.4, contrast: 0.4 }",
      typeof setting === "number" ? ["colorJitter"] : ["colorJitter", coloured],
    );
  return { size, apply: (image, rng) => colorJitter(image, drawColorJitter(rng, ranges)) };
}

type JitterRanges = { readonly [Component in ColorComponent]?: Range };

/** Of the components that are changed. */
function jitterRanges(factors: ColorJitterFactors): JitterRanges {
  const ranges: { [Component in ColorComponent]?: Range } = {};
  for (const component of COMPONENTS) {
    const unchanged = component === "hue" ? 0 : 1;
    const floor = component === "hue" ? Number.NEGATIVE_INFINITY : 0;
    const range = orderedRange(rangeAround(factors[component] ?? 0, unchanged, floor), ["colorJitter", component]);
    if (range[0] !== unchanged || range[1] !== unchanged) ranges[component] = range;
  }
  return ranges;
}

/** An order of all four, then a factor of each that is changed. */
export function drawColorJitter(rng: Rng, ranges: JitterRanges): DrawnColorJitter {
  const order = rng.permutation(COMPONENTS.length);
  const factors = COMPONENTS.map((component) => {
    const range = ranges[component];
    return range === undefined ? undefined : drawBetween(rng, range);
  });
  return [...order].flatMap((i) => (factors[i] === undefined ? [] : [[COMPONENTS[i]!, factors[i]] as const]));
}

export function colorJitter(image: Image, drawn: DrawnColorJitter): Image {
  return drawn.reduce((current, [component, factor]) => ADJUST[component](current, factor), image);
}

const ADJUST: Readonly<Record<ColorComponent, (image: Image, factor: number) => Image>> = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
};
