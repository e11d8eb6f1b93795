/**
 * How long a run takes that has nothing to do, and one with a single stage to do, beside other runners.
 *
 *   node bench/noop/run.mjs [--size N]... [--tool NAME]... [--rounds N] [--data GIGABYTES] [--out FOLDER]
 *
 * Sizes are numbers of stages, multiples of seven. Every figure is the wall time of a whole process. Rounds interleave: a
 * no-op and a change of each tool, then the next round, so that a slow minute of the machine hits everybody. A first run
 * is measured once and given 15 minutes; a tool that does not make it is left out of larger sizes, by name. Results are
 * compared with what the files should hold. A whole run writes RESULTS.md, results.json and results.svg.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawResults, tablesOf } from "./report.mjs";
import { LENGTH, outputOf, own, TOOLS } from "./tools.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    size: { type: "string", multiple: true },
    tool: { type: "string", multiple: true },
    rounds: { type: "string", default: "5" },
    data: { type: "string", default: "10" },
    out: { type: "string" },
  },
});
const FIRST_RUN_MS = 15 * 60_000;
const sizes = (flags.size ?? ["7", "70", "700", "7000"]).map(Number);
for (const size of sizes)
  if (!(size >= LENGTH && size % LENGTH === 0)) throw new Error(`--size ${size}: no multiple of 7`);
const names = flags.tool ?? Object.keys(TOOLS);
for (const name of names)
  if (!(name in TOOLS)) throw new Error(`--tool ${name}: there are ${Object.keys(TOOLS).join(", ")}`);
const rounds = Number(flags.rounds);
const whole = flags.size === undefined && flags.tool === undefined;

const base = mkdtempSync(join(tmpdir(), "tfpipe-noop-"));
const leftOut = [];
const results = [];
try {
  const versions = {};
  for (const name of names)
    try {
      TOOLS[name].install();
      versions[name] = TOOLS[name].version();
    } catch (error) {
      leftOut.push({ tool: name, why: `could not be installed: ${error.message.split("\n")[0]}` });
    }
  const load = loadavg()[0];
  if (load > 0.5) process.stderr.write(`The machine is busy (load ${load.toFixed(1)}): figures will be noisy.\n`);
  const slow = new Set();
  for (const size of sizes) {
    const projects = [];
    for (const tool of Object.keys(versions)) {
      if (size > TOOLS[tool].limit) continue;
      if (slow.has(tool)) leftOut.push({ tool, size, why: "a smaller size took over 15 minutes" });
      else {
        const project = firstRun(tool, size);
        if (project !== undefined) projects.push(project);
        else slow.add(tool);
      }
    }
    for (let round = 1; round <= rounds; round++)
      for (const project of projects) {
        project.noop.push(timed(project));
        change(project, round);
        project.one.push(timed(project));
        verify(project, project.chains - 1);
        process.stderr.write(
          `${size} stages, round ${round}/${rounds}  ${project.tool.padEnd(10)} nothing ${ms(project.noop.at(-1))}  one stage ${ms(project.one.at(-1))}\n`,
        );
      }
    for (const { tool, first, noop, one, folder } of projects) {
      results.push({ tool, size, first, noop, one });
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const gigabytes = Number(flags.data);
  const large = gigabytes > 0 && names.includes("tfpipe") ? largeInputs(gigabytes) : undefined;

  const machine = {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.versions.node,
  };
  const document = {
    machine: { ...machine, loadAtEnd: Number(loadavg()[0].toFixed(2)) },
    versions,
    rounds,
    results,
    large,
    leftOut,
  };
  const text = tablesOf(document);
  console.log(`\n${text}`);
  const folder = flags.out ?? (whole ? here : undefined);
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "results.json"), `${JSON.stringify(document)}\n`);
    writeFileSync(join(folder, "RESULTS.md"), text);
    writeFileSync(join(folder, "results.svg"), await drawResults(document));
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}

/** The project written and run once; undefined where that failed or took too long. */
function firstRun(tool, size) {
  const folder = join(base, `${tool}-${size}`);
  const chains = size / LENGTH;
  mkdirSync(join(folder, "in"), { recursive: true });
  mkdirSync(join(folder, "out"));
  for (let chain = 0; chain < chains; chain++)
    for (let stage = 1; stage <= LENGTH; stage++) writeFileSync(join(folder, own(chain, stage)), `${chain} ${stage}\n`);
  const project = { tool, size, chains, folder, texts: new Map(), noop: [], one: [] };
  try {
    TOOLS[tool].write(folder, chains);
    project.first = timed(project, FIRST_RUN_MS);
    verify(project, 0);
    verify(project, chains - 1);
  } catch (error) {
    leftOut.push({ tool, size, why: error.message.split("\n")[0] });
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  process.stderr.write(`${size} stages, first run  ${tool.padEnd(10)} ${ms(project.first)}\n`);
  return project;
}

/** Milliseconds of one run, which must succeed. */
function timed({ tool, folder }, limitMs = FIRST_RUN_MS) {
  const [program, ...args] = TOOLS[tool].run();
  const begin = process.hrtime.bigint();
  const { status, signal, error, stderr } = spawnSync(program, args, {
    cwd: folder,
    env: { ...process.env, ...TOOLS[tool].environment },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
    encoding: "utf8",
  });
  const elapsed = Number(process.hrtime.bigint() - begin) / 1e6;
  if (error?.code === "ETIMEDOUT") throw new Error(`its run took over ${limitMs / 60_000} minutes`);
  if (status !== 0)
    throw new Error(`its run ended with ${signal ?? `exit code ${status}`}: ${stderr.trim().split("\n").at(-1)}`);
  return elapsed;
}

/** Another text for the last stage of the last chain, which is then the only one that can differ. */
function change({ chains, folder, texts }, round) {
  const file = own(chains - 1, LENGTH);
  texts.set(file, `changed ${round}\n`);
  writeFileSync(join(folder, file), texts.get(file));
}

function verify({ tool, folder, texts }, chain) {
  let expected = "";
  for (let stage = 1; stage <= LENGTH; stage++)
    expected = (texts.get(own(chain, stage)) ?? `${chain} ${stage}\n`) + expected;
  const found = readFileSync(join(folder, outputOf(tool, chain)), "utf8");
  if (found !== expected)
    throw new Error(`it left ${JSON.stringify(found.slice(0, 80))} where the inputs give another text`);
}

/** Our no-op with gigabytes of inputs beside one with tiny ones, and how fast they were digested the first time. */
function largeInputs(gigabytes) {
  const GIGABYTE = 1e9;
  const make = (name, bytes) => {
    const folder = join(base, name);
    mkdirSync(join(folder, "data"), { recursive: true });
    writeFileSync(join(folder, "package.json"), "{}\n");
    const piece = randomBytes(1e6);
    for (let file = 0; file < 10; file++) {
      const handle = openSync(join(folder, "data", `${file}.bin`), "w");
      for (let done = 0; done < bytes / 10; done += piece.length) {
        piece.writeUInt32LE(done / piece.length, 0);
        writeSync(handle, piece, 0, Math.min(piece.length, bytes / 10 - done));
      }
      closeSync(handle);
    }
    writeFileSync(
      join(folder, "chains.yaml"),
      `name: chains
stages:
  count:
    inputs: { data: ./data }
    outputs: { out: out.txt }
    run: ls "\${inputs.data}" | wc -l > "\${outputs.out}"
`,
    );
    return { tool: "tfpipe", folder };
  };
  const tiny = make("tiny", 1000);
  const large = make("large", gigabytes * GIGABYTE);
  timed(tiny);
  const first = timed(large);
  // Runs take digests from the memo; a paranoid one reads every input anew.
  const measured = { gigabytes, first, digest: [], noop: [], tiny: [] };
  const [program, ...args] = TOOLS.tfpipe.run();
  for (let round = 0; round < rounds; round++) {
    measured.tiny.push(timed(tiny));
    measured.noop.push(timed(large));
  }
  const begin = process.hrtime.bigint();
  spawnSync(program, [...args, "--paranoid"], { cwd: large.folder, stdio: "ignore" });
  measured.digest.push(Number(process.hrtime.bigint() - begin) / 1e6);
  return measured;
}

function ms(value) {
  return value < 10_000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(0)} s`;
}
