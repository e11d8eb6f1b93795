/** One image as a PNG data URI, enlarged by whole pixels so that small pictures stay crisp in every viewer. */
import sharp from "sharp";

/**
 * `pixels`: uint8 [height, width, channels], 1 or 3 channels. Enlarged until the longer edge is as near to `tileSize`
 * as it gets without passing it; never made smaller.
 */
export async function encodeTile(
  pixels: Uint8Array,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  tileSize: number,
): Promise<string> {
  if (channels !== 1 && channels !== 3)
    throw new Error(`an image of ${channels} channels cannot be shown, only 1 or 3`);
  const scale = Math.max(1, Math.floor(tileSize / Math.max(height, width)));
  const enlarged = new Uint8Array(height * scale * width * scale * channels);
  let at = 0;
  for (let y = 0; y < height * scale; y++)
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      for (let c = 0; c < channels; c++) enlarged[at++] = pixels[from + c]!;
    }
  const png = await sharp(enlarged, { raw: { width: width * scale, height: height * scale, channels } })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png({ compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}
