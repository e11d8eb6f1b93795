/** What the benchmark uses of the product, bundled by `environment.mjs` from the sources as they are now. */

export { fitSchema } from "../../src/language/fit-schema.ts";
export { compareSafetensors } from "../../src/ml/compare/compare-safetensors.ts";
export { openDataset } from "../../src/ml/data/dataset.ts";
export { createImagesWriter, writeTransformed } from "../../src/ml/data/dataset-writer.ts";
export { findAddon } from "../../src/ml/engine/native/binding.ts";
export { webgpuEnvironment } from "../../src/ml/engine/webgpu/vulkan-drivers.ts";
export * from "../../src/ml/index.ts";
export { createImageSource } from "../../src/ml/train/image-source.ts";
