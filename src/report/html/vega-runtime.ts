/** The scripts that make charts interactive in a browser, read from the installed packages. Owns that file access. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Sources of classic scripts; the second needs the first. */
export interface VegaRuntime {
  readonly vega: string;
  readonly vegaLite: string;
}

/** Undefined where a package has no such build: the report then shows the charts as still pictures. */
export function readVegaRuntime(): VegaRuntime | undefined {
  const require = createRequire(import.meta.url);
  const [vega, vegaLite] = ["vega", "vega-lite"].map((name) =>
    join(dirname(require.resolve(name)), `${name}.min.js`),
  ) as [string, string];
  if (!existsSync(vega) || !existsSync(vegaLite)) return undefined;
  return { vega: readFileSync(vega, "utf8"), vegaLite: readFileSync(vegaLite, "utf8") };
}
