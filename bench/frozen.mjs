/**
 * `pipe check --frozen` in a clean clone: chains of seven stages as in bench/noop, run and locked once, then checked where
 * there is nothing but the pipeline, its lock and, or not, the inputs. Every time is that of a whole process in a clone that
 * was just made; beside it `node -e 0`.
 *
 *   node bench/frozen.mjs [--size 7]... [--rounds 7]
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { LENGTH, own, TOOLS } from "./noop/tools.mjs";
import { root } from "./train/places.mjs";

const { values: flags } = parseArgs({
  options: {
    size: { type: "string", multiple: true, default: ["7", "700"] },
    rounds: { type: "string", default: "7" },
  },
});
const product = join(root, "dist", "pipe.js");
const folder = mkdtempSync(join(tmpdir(), "frozen-"));
try {
  console.log(`${cpus()[0].model}, Node ${process.versions.node}, median of ${flags.rounds} rounds\n`);
  console.log("| stages | with the inputs | without them | `node -e 0` |\n| --- | --- | --- | --- |");
  for (const size of flags.size.map(Number)) console.log(measure(size));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measure(size) {
  const project = join(folder, String(size));
  const chains = size / LENGTH;
  mkdirSync(project);
  for (let chain = 0; chain < chains; chain++)
    for (let stage = 1; stage <= LENGTH; stage++) {
      mkdirSync(dirname(join(project, own(chain, stage))), { recursive: true });
      writeFileSync(join(project, own(chain, stage)), `${chain} ${stage}\n`);
    }
  TOOLS.tfpipe.write(project, chains);
  for (const command of ["run", "lock"]) run(project, [product, command, "chains.yaml"]);
  const [whole, bare, node] = [[], [], []];
  for (let round = 0; round < Number(flags.rounds); round++) {
    whole.push(inClone(project, ["in"]));
    bare.push(inClone(project, []));
    node.push(run(project, ["-e", "0"]));
  }
  return `| ${size} | ${median(whole)} | ${median(bare)} | ${median(node)} |`;
}

function inClone(project, more) {
  const clone = join(folder, "clone");
  rmSync(clone, { recursive: true, force: true });
  for (const name of ["package.json", "chains.yaml", "chains.lock.yaml", ...more])
    cpSync(join(project, name), join(clone, name), { recursive: true });
  return run(clone, [product, "check", "chains.yaml", "--frozen"]);
}

/** Milliseconds. */
function run(cwd, args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - start;
}

function median(times) {
  return `${Math.round(times.sort((a, b) => a - b)[times.length >> 1])} ms`;
}
