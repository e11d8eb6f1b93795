/** A dataset artifact whose classes can be told apart: class c is brighter in channel c. */
import type { Artifact } from "../../src/contract.ts";
import { openDataset } from "../../src/ml/data/dataset.ts";
import { createImagesWriter, writeTransformed } from "../../src/ml/data/dataset-writer.ts";
import { createRng } from "../../src/rng.ts";
import type { StageWorkbench } from "./stage-workbench.ts";

export interface LearnableLayout {
  readonly count: number;
  readonly classNames?: readonly string[];
  readonly size?: number;
  readonly channels?: number;
}

export function learnableImages(
  workbench: StageWorkbench,
  name: string,
  { count, classNames = ["red", "green", "blue"], size = 8, channels = 3 }: LearnableLayout,
): Artifact {
  const rng = createRng(3, name);
  return workbench.artifact("dataset", (folder) => {
    const writer = createImagesWriter(folder, {
      count,
      height: size,
      width: size,
      channels,
      classNames: [...classNames],
    });
    for (let image = 0; image < count; image++) {
      const label = image % classNames.length;
      const pixels = Uint8Array.from(
        { length: size * size * channels },
        (_, i) => rng.integer(100) + (i % channels === label ? 120 : 0),
      );
      writer.write(image, pixels, Int32Array.of(label));
    }
    writer.finish();
    writer.close();
  });
}

/** The same, cropped at random and normalised, as `normalize` leaves it. */
export function normalizedImages(workbench: StageWorkbench, base: Artifact, crop: number): Artifact {
  const dataset = openDataset(base);
  const scale = new Array<number>(dataset.channels);
  const transform = { transforms: [{ randomCrop: crop }], mean: scale.fill(0.4), std: [...scale].fill(0.25), seed: 9 };
  return workbench.artifact("dataset", (folder) => writeTransformed(folder, dataset, transform, [crop, crop]), {
    base,
  });
}
