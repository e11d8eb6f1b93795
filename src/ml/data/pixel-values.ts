/** Numbers of a file as pixels: two values of the file are black and white, what lies between is rounded to whole steps. */

export type ValueRange = readonly [black: number, white: number];

/** Why a value is no pixel, or the pixel. Where the range is 0 to 255, the values are taken to be pixels: whole numbers. */
export function toPixel(value: number, [black, white]: ValueRange, whole: boolean): number | string {
  if (Number.isNaN(value)) return "it is not a number";
  if (white > black ? value < black || value > white : value > black || value < white)
    return `it is outside ${black} to ${white}`;
  if (whole && !Number.isInteger(value)) return "it is no whole number";
  return Math.round(((value - black) / (white - black)) * 255);
}
