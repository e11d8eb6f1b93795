/** How many images a dataset artifact holds, from its card alone: for who asks before anything is opened. */
import { readFileSync } from "node:fs";
import type { DatasetSource } from "./dataset.ts";

/** Undefined where it has no card that says so. */
export function countImages(source: DatasetSource): number | undefined {
  if (!source.files.some(({ path }) => path === "card.json")) return undefined;
  try {
    const card = JSON.parse(readFileSync(source.path("card.json"), "utf8")) as { readonly count?: unknown } | null;
    const count = card?.count;
    return typeof count === "number" && Number.isSafeInteger(count) && count > 0 ? count : undefined;
  } catch {
    return undefined;
  }
}
