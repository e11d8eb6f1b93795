/**
 * The benchmark's own environment, `bench/.env/` (git-ignored, may be deleted): a Python each for PyTorch and Keras, stock
 * TensorFlow.js on the native library of our installed engine, and a bundle of the product's sources as they are now.
 * None of it is a dependency of the project. Packages come from wherever pip and npm are set up to find them.
 */
import { lstatSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { installPackages, installPython } from "../installed.mjs";
import { here, importProduct, productFolder, root } from "./places.mjs";

const pythonFor = (name) =>
  join(
    installPython(name, join(here, `requirements-${name}.txt`)),
    process.platform === "win32" ? "python.exe" : "python",
  );

/**
 * Programs by the `uses` of a peer: { command: [program, script] }, or { problem } where it could not be installed.
 * `python` has torch and torchvision, if it is given.
 */
export async function prepareEnvironment(uses, python) {
  const script = (name) => join(here, "peers", name);
  const commands = {
    product: () => [process.execPath, script("tfpipe.mjs")],
    torch: () => [python ?? pythonFor("torch"), script("torch_peer.py")],
    keras: () => [pythonFor("keras"), script("keras_peer.py")],
    stock: async () => [process.execPath, await installStock(script("layers.mjs"))],
  };
  await bundleProduct();
  const programs = {};
  for (const use of uses)
    try {
      programs[use] = { command: await commands[use]() };
    } catch (error) {
      programs[use] = { problem: `could not be installed: ${error.message.split("\n")[0]}` };
    }
  return programs;
}

export async function bundleProduct() {
  rmSync(productFolder, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: {
      product: "bench/train/product.mjs",
      chart: "bench/train/chart.mjs",
      "loader-worker": "src/ml/data/loader-worker.ts",
    },
    outdir: productFolder,
    ...{ bundle: true, splitting: true, platform: "node", target: "node20", format: "esm", packages: "external" },
    logLevel: "warning",
  });
}

/** The packages of `stock/package-lock.json`, and the addon and library of our engine in tfjs-node's place for them. */
async function installStock(script) {
  // Its install script would download another TensorFlow.
  const folder = installPackages("stock", join(here, "stock"), ["--ignore-scripts"]);
  const { resolveEngine, findAddon } = await importProduct();
  const engine = resolveEngine("native");
  if ("problem" in engine) throw new Error(`${engine.problem}; ${engine.help}`);
  const addonPackage = dirname(dirname(dirname(findAddon(engine.folder))));
  for (const part of ["lib", "deps"]) {
    const link = join(folder, "node_modules", "@tensorflow", "tfjs-node", part);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link, { recursive: true });
    symlinkSync(join(addonPackage, part), link, "junction");
  }
  return script;
}
