/** After the main job: its accuracy is what the README says, and what it leaves is where the README says. */
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
process.exit(missing.length > 0 || top1 < 0.4 ? 1 : 0);
