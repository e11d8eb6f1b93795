/** What the comparison uses of the product, bundled from the sources as they are now. */
export { openArtifact, REFERENCES_FILE } from "../../src/cache/artifact-store.ts";
export { parseListing } from "../../src/identity/listing.ts";
export { openDataset } from "../../src/ml/data/dataset.ts";
export { torchConstructor } from "../../src/ml/export/torch-constructor.ts";
export { epochRates, rateAt } from "../../src/ml/schedule/epoch-rates.ts";
export { createImageSource } from "../../src/ml/train/image-source.ts";
