/** Connects what compares artifacts to the ml library, which knows tensors, and to the disk. Part of the composition root. */
import type { ContentComparer } from "./cache/artifact-difference.ts";

export function createContentComparer(): ContentComparer {
  return {
    async tensors(before, after) {
      const { compareSafetensors } = await import("./ml/compare/compare-safetensors.ts");
      try {
        return compareSafetensors(before, after);
      } catch (error) {
        // A file of that name that is something else is compared by its bytes.
        if (error instanceof Error && error.name === "SafetensorsError") return undefined;
        throw error;
      }
    },
    async bytes(before, after) {
      const { findFirstDifference } = await import("./platform/first-difference.ts");
      return findFirstDifference(before, after);
    },
  };
}
