/**
 * Trains a pipeline with each way of computing convolutions, and with another seed, which shows how far apart two right
 * trainings may be; draws the curves.
 *
 *   node bench/recipes/convolutions.mjs [PIPELINE] [--profile P]... [--param K=V]...
 *
 * PIPELINE is `resnet34` with the profile `quick`, if left out. Runs of a temporary project, so the checkout's own results
 * stay. Writes `results/convolutions.json` and `.svg`, and prints a table.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { environmentFolder, root } from "../train/places.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    profile: { type: "string", multiple: true, default: [] },
    param: { type: "string", multiple: true, default: [] },
  },
});
const [pipeline = "resnet34"] = positionals.map((given) => basename(given, ".yaml"));
const profiles = positionals.length === 0 && values.profile.length === 0 ? ["quick"] : values.profile;
const SEED = 7;
const variants = {
  direct: { convolution: "direct", params: values.param },
  winograd: { convolution: "winograd", params: values.param },
  "direct, another seed": { convolution: "direct", params: [...values.param, `seed=${SEED}`] },
};

const text = readFileSync(join(root, "pipelines", `${pipeline}.yaml`), "utf8");
if (/^engine:/m.test(text)) throw new Error(`${pipeline} chooses its engine itself`);
const project = mkdtempSync(join(tmpdir(), "tfpipe-convolutions-"));
const curves = {};
let stepsPerEpoch = 0;
try {
  mkdirSync(join(project, "pipelines"));
  writeFileSync(join(project, "package.json"), "{}\n");
  symlinkSync(join(root, "pipelines", "data"), join(project, "pipelines", "data"));
  for (const [name, { convolution, params }] of Object.entries(variants)) {
    const file = join(project, "pipelines", `${pipeline}.yaml`);
    writeFileSync(file, `${text}\nengine: { name: native, convolution: ${convolution} }\n`);
    const options = [
      ...profiles.flatMap((profile) => ["--profile", profile]),
      ...params.flatMap((param) => ["--param", param]),
    ];
    const { status } = spawnSync(
      process.execPath,
      [join(root, "dist", "pipe.js"), "run", file, "evaluate", ...options],
      {
        cwd: project,
        stdio: "inherit",
      },
    );
    if (status !== 0) throw new Error(`the run with ${name} convolutions ended with exit code ${status}`);
    const folder = join(project, "artifacts", [pipeline, ...profiles].join("@"));
    const history = JSON.parse(readFileSync(join(folder, "train", "history", "history.json"), "utf8"));
    const { top1 } = JSON.parse(readFileSync(join(folder, "evaluate", "metrics", "metrics.json"), "utf8"));
    stepsPerEpoch = history.iterationsPerEpoch;
    curves[name] = {
      loss: history.loss,
      validAccuracy: history.epochs.map(({ validAccuracy }) => validAccuracy),
      testAccuracy: top1,
    };
  }
} finally {
  rmSync(project, { recursive: true, force: true });
}

const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(environmentFolder, "recipes", "curves.js");
await build({
  absWorkingDir: root,
  entryPoints: ["bench/recipes/curves.mjs"],
  outfile: bundle,
  ...{ bundle: true, platform: "node", target: "node20", format: "esm", packages: "external", logLevel: "warning" },
});
const { drawCurves } = await import(pathToFileURL(bundle).href);
const font = (weight) => join(root, "assets", "fonts", `Inter-${weight}.ttf`);
const chart = {
  name: "convolutions",
  title: `${pipeline}, direct and Winograd convolutions`,
  subtitle: ["the same weights, batches and rates, and another seed to compare with; float32", ...profiles].join(", "),
  stepsPerEpoch,
  curves,
};
const results = join(here, "results");
mkdirSync(results, { recursive: true });
writeFileSync(join(results, "convolutions.json"), `${JSON.stringify({ pipeline, profiles, ...chart })}\n`);
const fontFiles = { regular: font("Regular"), semiBold: font("SemiBold") };
writeFileSync(join(results, "convolutions.svg"), await drawCurves(chart, fontFiles));

const names = Object.keys(curves);
const percent = (fraction) => `${(100 * fraction).toFixed(2)} %`;
const row = (title, show) => console.log(`| ${title} | ${names.map((name) => show(curves[name])).join(" | ")} |`);
console.log(`| ${pipeline} ${profiles.join(" ")} | ${names.join(" | ")} |\n| --- |${" --- |".repeat(names.length)}`);
row("first loss", ({ loss }) => loss[0].toFixed(6));
row("largest difference from direct in the first 10 losses", ({ loss }) =>
  Math.max(...loss.slice(0, 10).map((value, i) => Math.abs(value - curves.direct.loss[i]))).toExponential(1),
);
row("mean of the last tenth's losses", ({ loss }) => {
  const last = loss.slice(-Math.round(loss.length / 10));
  return (last.reduce((sum, value) => sum + value, 0) / last.length).toFixed(4);
});
row("validation accuracy", ({ validAccuracy }) => percent(validAccuracy.at(-1)));
row("test accuracy", ({ testAccuracy }) => percent(testAccuracy));
