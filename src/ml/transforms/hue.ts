/**
 * Hue turned as torchvision turns it: through Pillow's uint8 HSV (`Convert.c`, after Python's colorsys), to whose hue a
 * whole number is added modulo 256. HSV is coarser than RGB, so a turn by 0 changes an image a little too.
 */
import type { Image } from "./image.ts";

/** `turn` from -0.5 to 0.5: half way round either way. Images of one channel have no hue and stay as they are. */
export function adjustHue(image: Image, turn: number): Image {
  const { data: input, channels } = image;
  if (channels === 1) return image;
  const shift = Math.trunc(turn * 255);
  const data = new Uint8Array(input.length);
  for (let i = 0; i < input.length; i += 3) {
    const red = input[i]!;
    const green = input[i + 1]!;
    const blue = input[i + 2]!;
    const greatest = Math.max(red, green, blue);
    const least = Math.min(red, green, blue);
    const spread = greatest - least;
    const saturation = spread === 0 ? 0 : Math.trunc(Math.fround(spread / greatest) * 255);
    if (saturation === 0) {
      data[i] = greatest;
      data[i + 1] = greatest;
      data[i + 2] = greatest;
      continue;
    }
    const hue = (hueOf(red, green, blue, greatest, spread) + shift) & 0xff;
    const fade = Math.fround(saturation / 255);
    const sixths = (hue * 6) / 255;
    const sector = Math.floor(sixths);
    const f = Math.fround(sixths - sector);
    const p = Math.round(greatest * (1 - fade));
    // The end of the sixth sixth is the start of the first.
    switch (sector % 6) {
      case 0:
        data[i] = greatest;
        data[i + 1] = rising(greatest, fade, f);
        data[i + 2] = p;
        break;
      case 1:
        data[i] = falling(greatest, fade, f);
        data[i + 1] = greatest;
        data[i + 2] = p;
        break;
      case 2:
        data[i] = p;
        data[i + 1] = greatest;
        data[i + 2] = rising(greatest, fade, f);
        break;
      case 3:
        data[i] = p;
        data[i + 1] = falling(greatest, fade, f);
        data[i + 2] = greatest;
        break;
      case 4:
        data[i] = rising(greatest, fade, f);
        data[i + 1] = p;
        data[i + 2] = greatest;
        break;
      default:
        data[i] = greatest;
        data[i + 1] = p;
        data[i + 2] = falling(greatest, fade, f);
    }
  }
  return { ...image, data };
}

/** uint8 hue of a colour that is no grey. Floats are rounded where C stores them. */
function hueOf(red: number, green: number, blue: number, greatest: number, spread: number): number {
  const fromRed = Math.fround((greatest - red) / spread);
  const fromGreen = Math.fround((greatest - green) / spread);
  const fromBlue = Math.fround((greatest - blue) / spread);
  const sixths = Math.fround(
    red === greatest ? fromBlue - fromGreen : green === greatest ? 2 + fromRed - fromBlue : 4 + fromGreen - fromRed,
  );
  const turns = sixths / 6 + 1;
  return Math.trunc(Math.fround(turns >= 1 ? turns - 1 : turns) * 255);
}

function falling(value: number, fade: number, f: number): number {
  return Math.round(value * (1 - Math.fround(fade * f)));
}

function rising(value: number, fade: number, f: number): number {
  return Math.round(value * (1 - fade * (1 - f)));
}
