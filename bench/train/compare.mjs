/** Interleaves our step with PyTorch's, so that both see the same machine, and prints medians, bests and their ratio. */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    python: { type: "string" },
    size: { type: "string", default: "110" },
    batch: { type: "string", default: "256" },
    steps: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
  },
});
if (values.python === undefined) throw new Error("--python names a Python that has torch and torchvision");

const { size, batch, steps } = values;
const peers = {
  tfpipe: {
    command: [process.execPath, join(here, "step.mjs")],
    env: { TF_NUM_INTRAOP_THREADS: "2", TF_NUM_INTEROP_THREADS: "2", TF_CPP_MIN_LOG_LEVEL: "2" },
  },
  torch: { command: [values.python, join(here, "step_torch.py")], env: {} },
};
const seconds = { tfpipe: [], torch: [] };
const peakBytes = { tfpipe: 0, torch: 0 };
for (let round = 0; round < Number(values.rounds); round++)
  for (const [name, { command, env }] of Object.entries(peers)) {
    const [program, script] = command;
    const text = execFileSync(program, [script, size, batch, steps], {
      env: { ...process.env, ...env },
      encoding: "utf8",
    });
    const result = JSON.parse(text.trim().split("\n").at(-1));
    seconds[name].push(...result.seconds.slice(1)); // the first step warms up
    peakBytes[name] = Math.max(peakBytes[name], result.peakBytes);
  }

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const rate = (list, pick) => Number(batch) / pick(list);
const best = (list) => Math.min(...list);
console.table(
  Object.fromEntries(
    Object.keys(peers).map((name) => [
      name,
      {
        "median img/s": rate(seconds[name], median).toFixed(1),
        "best img/s": rate(seconds[name], best).toFixed(1),
        "peak GB": (peakBytes[name] / 1e9).toFixed(2),
      },
    ]),
  ),
);
const ratio = (pick) => (pick(seconds.torch) / pick(seconds.tfpipe)).toFixed(2);
console.log(
  `ResNet-34, ${size} px, batch ${batch}: tfpipe / torch = ${ratio(median)} by medians, ${ratio(best)} by bests`,
);
