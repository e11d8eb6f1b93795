/** Bundles a worker-thread module as the build does, for tests that start one: a Worker cannot run TypeScript. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { build } from "esbuild";

export interface BundledWorker {
  /** Absolute path of an `.mjs` file, for `new Worker(path)`. */
  readonly path: string;
  remove(): void;
}

/** `module` is relative to the repository's root, such as `src/ml/data/loader-worker.ts`. */
export async function bundleWorker(module: string): Promise<BundledWorker> {
  const root = join(import.meta.dirname, "..");
  // Inside the repository, so that packages the bundle leaves out are found in its node_modules.
  const folder = mkdtempSync(join(root, "node_modules", ".tfpipe-worker-"));
  const path = join(folder, basename(module).replace(/\.ts$/, ".mjs"));
  await build({
    entryPoints: [join(root, module)],
    outfile: path,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A temporary folder of a test's own. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "tfpipe-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
