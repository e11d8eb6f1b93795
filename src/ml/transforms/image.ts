/** One image in memory. What the transforms take and give; pixels stay uint8 until the engine normalises them. */
export interface Image {
  /** [height, width, channels], row-major. */
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Height and width in pixels, in this order everywhere. */
export type ImageSize = readonly [height: number, width: number];
