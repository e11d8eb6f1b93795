/**
 * After the main job: its accuracy is what the README says, what it leaves is where the README says, and a second run finds
 * nothing to do. Says how long that took; machines differ, so it does not judge it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "artifacts", "resnet34@quick");
const { top1 } = JSON.parse(readFileSync(join(folder, "evaluate", "metrics", "metrics.json"), "utf8"));
const expected = ["report.html", "train/model/model.safetensors"];
for (const chart of ["loss", "accuracy", "confusionMatrix", "examples"])
  for (const format of ["svg", "pdf", "png"]) expected.push(`plot/charts/${chart}.${format}`);
const missing = expected.filter((path) => !existsSync(join(folder, path)));
console.log(
  `test accuracy ${(100 * top1).toFixed(1)} %; ${expected.length - missing.length} of ${expected.length} files there`,
);
if (missing.length > 0) console.error(`missing: ${missing.join(", ")}`);
if (top1 < 0.4) console.error("the README promises at least 40 %");
const root = join(folder, "..", "..");
const start = performance.now();
const again = spawnSync(
  process.execPath,
  [join(root, "dist", "pipe.js"), "run", "pipelines/resnet34.yaml", "--profile", "quick", "--json"],
  {
    cwd: root,
    encoding: "utf8",
  },
);
const seconds = (performance.now() - start) / 1000;
const record = JSON.parse(again.stdout.trim().split("\n").at(-1)).record;
const fresh = record.stages.filter(({ outcome }) => outcome === "fresh").length;
console.log(`again: ${fresh} of 7 stages fresh in ${seconds.toFixed(2)} s`);
if (fresh !== 7) console.error("a second run must have nothing to do");
process.exit(missing.length > 0 || top1 < 0.4 || fresh !== 7 ? 1 : 0);
