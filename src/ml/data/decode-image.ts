/**
 * JPEG and PNG to pixels, with Pillow's bits: sharp decodes as Pillow does (measured for 4:4:4 and 4:2:0); grey values and
 * sizes are made here as Pillow makes them, not by sharp, which does both differently.
 */
import sharp from "sharp";
import type { Image, ImageSize } from "../transforms/image.ts";
import { planResize, resize } from "../transforms/resize.ts";

export interface DecodeSettings {
  /** 3: grey images get three equal channels. 1: coloured images become grey. */
  readonly channels: 1 | 3;
  /** Resized to this, where it is given. */
  readonly size?: ImageSize;
}

/** Throws with the reason where `bytes` are not a whole image. Orientation marks and colour profiles are not applied. */
export async function decodeImage(bytes: Uint8Array, { channels, size }: DecodeSettings): Promise<Image> {
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  const isPng = bytes[0] === 0x89 && bytes[1] === 0x50;
  if (!isJpeg && !isPng) throw new Error(bytes.length === 0 ? "it is empty" : "it is neither JPEG nor PNG");
  const { data, info } = await sharp(bytes, { failOn: "error", ignoreIcc: true })
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it has ${info.channels} channels`);
  const image: Image = { data: new Uint8Array(data), height: info.height, width: info.width, channels: 3 };
  const coloured = channels === 3 ? image : toGrey(image);
  if (size === undefined || (size[0] === image.height && size[1] === image.width)) return coloured;
  return resize(coloured, planResize([image.height, image.width], size));
}

/** Pillow's `convert("L")`: ITU-R 601-2 luma in 16-bit fixed point, rounded. */
function toGrey({ data: rgb, height, width }: Image): Image {
  const data = new Uint8Array(height * width);
  for (let i = 0; i < data.length; i++)
    data[i] = (rgb[3 * i]! * 19595 + rgb[3 * i + 1]! * 38470 + rgb[3 * i + 2]! * 7471 + 0x8000) >>> 16;
  return { data, height, width, channels: 1 };
}
