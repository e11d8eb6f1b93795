/**
 * Runs the quick profile of every pipeline of the family, one after the other, and holds each to its promise: it ends, it
 * beats chance by far, and it fits its time. Takes about an hour on two cores; `npm test` does not include it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Minutes that a quick profile may take on two cores, and the least test accuracy that shows it learned (chance is 0.1). */
const PROMISES = {
  "cifar10-fast": { minutes: 3, accuracy: 0.3 },
  resnet34: { minutes: 5, accuracy: 0.4 },
  resnet50: { minutes: 10, accuracy: 0.2 },
  resnet101: { minutes: 10, accuracy: 0.2 },
  resnext50: { minutes: 10, accuracy: 0.2 },
  resnext101: { minutes: 10, accuracy: 0.15 },
  vgg16: { minutes: 10, accuracy: 0.15 },
};

const chosen = process.argv.slice(2);
const rows = [];
let passed = 0;
for (const [name, promise] of Object.entries(PROMISES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const start = performance.now();
  const args = [join(root, "dist", "pipe.js"), "run", `pipelines/${name}.yaml`, "--profile", "quick", "--force"];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  const minutes = (performance.now() - start) / 60_000;
  const metrics = join(root, "artifacts", `${name}@quick`, "evaluate", "metrics", "metrics.json");
  const accuracy = status === 0 ? JSON.parse(readFileSync(metrics, "utf8")).top1 : 0;
  const ok = status === 0 && accuracy >= promise.accuracy && minutes <= promise.minutes;
  if (ok) passed++;
  rows.push({ pipeline: name, minutes: minutes.toFixed(1), accuracy: `${(100 * accuracy).toFixed(1)} %`, ok });
}
console.table(rows);
console.log(`${passed} passed, ${rows.length - passed} failed`);
process.exit(passed === rows.length ? 0 : 1);
