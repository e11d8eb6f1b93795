/** Where things are. Light: our measured processes import it. */
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");
/** The benchmark's own, git-ignored. */
export const environmentFolder = join(root, "bench", ".env");
export const productFolder = join(environmentFolder, "product");

/** One of the bundles of the product's sources. */
export const importProduct = (file = "product.js") => import(pathToFileURL(join(productFolder, file)).href);
