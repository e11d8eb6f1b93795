/**
 * The benchmark's own environment, `bench/.env/` (git-ignored, may be deleted): a Python each for PyTorch and Keras, stock
 * TensorFlow.js on the native library of our installed engine, and a bundle of the product's sources as they are now.
 * None of it is a dependency of the project. Packages come from wherever pip and npm are set up to find them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { environmentFolder, here, importProduct, productFolder, root } from "./places.mjs";

const run = (program, args, options = {}) =>
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"], ...options });

/**
 * Programs by the `uses` of a peer: { command: [program, script] }, or { problem } where it could not be installed.
 * `python` has torch and torchvision, if it is given.
 */
export async function prepareEnvironment(uses, python) {
  const script = (name) => join(here, "peers", name);
  const commands = {
    product: () => [process.execPath, script("tfpipe.mjs")],
    torch: () => [python ?? installPython("torch"), script("torch_peer.py")],
    keras: () => [installPython("keras"), script("keras_peer.py")],
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

/** A virtual environment with `requirements-<name>.txt`, made anew when that file has changed. Returns its Python. */
function installPython(name) {
  const folder = join(environmentFolder, name);
  const python = join(folder, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));
  const requirements = join(here, `requirements-${name}.txt`);
  return (
    installed(folder, readFileSync(requirements, "utf8"), `Python packages of requirements-${name}.txt`, () => {
      run(process.env.PYTHON ?? "python3", ["-m", "venv", folder]);
      run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements]);
      return python;
    }) ?? python
  );
}

/** The packages of `stock/package-lock.json`, and the addon and library of our engine in tfjs-node's place for them. */
async function installStock(script) {
  const folder = join(environmentFolder, "stock");
  const lock = readFileSync(join(here, "stock", "package-lock.json"), "utf8");
  installed(folder, lock, "stock TensorFlow.js", () => {
    mkdirSync(folder, { recursive: true });
    for (const file of ["package.json", "package-lock.json"])
      writeFileSync(join(folder, file), readFileSync(join(here, "stock", file)));
    // Its install script would download another TensorFlow.
    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  });
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

/** Installs unless a finished installation of the same `wanted` is there. */
function installed(folder, wanted, title, install) {
  const mark = join(folder, "installed");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return undefined;
  process.stderr.write(`Installing ${title} into ${folder.slice(root.length + 1)} (once)\n`);
  rmSync(folder, { recursive: true, force: true });
  const result = install();
  writeFileSync(mark, wanted);
  return result;
}
