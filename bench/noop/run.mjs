/**
 * How long a run takes that has nothing to do, and one with a single stage to do, beside other runners.
 *
 *   node bench/noop/run.mjs [--size N]... [--tool NAME]... [--rounds N] [--data GIGABYTES] [--minutes N] [--out FOLDER]
 *
 * Sizes are numbers of stages, multiples of seven. Every figure is the wall time of a whole process. Rounds interleave: a
 * no-op and a change of each tool, then the next round, so that a slow minute of the machine hits everybody. Results are
 * compared with what the files should hold.
 *
 * A first run is measured once and given 15 minutes; the whole takes at most `--minutes` (40). So the size at which peers
 * are slowest comes last, who is slow gets fewer rounds, and who fails or has no time left is left out by name; the tables
 * say all of it. What is measured is written as it comes: a whole run writes RESULTS.md, results.json and results.svg.
 */
import { spawn } from "node:child_process";
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
    minutes: { type: "string", default: "40" },
    out: { type: "string" },
  },
});
const MINUTE_MS = 60_000;
const FIRST_RUN_MS = 15 * MINUTE_MS;
/** Of one tool at one size, all rounds together. */
const ROUNDS_MS = 1.5 * MINUTE_MS;
/** Of the whole time, what first runs must leave to the rounds of those who made theirs. */
const ROUNDS_SHARE = 0.2;
/** Peers end here, so that a size at which they take minutes is the last. */
const SLOWEST_SIZE = 700;

const sizes = (flags.size ?? ["7", "70", "700", "7000"]).map(Number);
for (const size of sizes)
  if (!(size >= LENGTH && size % LENGTH === 0)) throw new Error(`--size ${size}: no multiple of 7`);
const names = flags.tool ?? Object.keys(TOOLS);
for (const name of names)
  if (!(name in TOOLS)) throw new Error(`--tool ${name}: there are ${Object.keys(TOOLS).join(", ")}`);
const rounds = Number(flags.rounds);
const gigabytes = Number(flags.data);
const whole = flags.size === undefined && flags.tool === undefined;
const outFolder = flags.out ?? (whole ? here : undefined);

const beginMs = Date.now();
const leftMs = () => beginMs + Number(flags.minutes) * MINUTE_MS - Date.now();
const base = mkdtempSync(join(tmpdir(), "tfpipe-noop-"));
const children = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.once(signal, () => {
    for (const child of children) killTree(child);
    rmSync(base, { recursive: true, force: true });
    process.exit(130);
  });

const leftOut = [];
const results = [];
const versions = {};
let large;
try {
  for (const name of names)
    try {
      TOOLS[name].install();
      versions[name] = TOOLS[name].version();
    } catch (error) {
      leaveOut({ tool: name, why: `could not be installed: ${firstLine(error)}` });
    }
  const load = loadavg()[0];
  if (load > 0.5) say(`The machine is busy (load ${load.toFixed(1)}): figures will be noisy.`);
  const slowLast = [...sizes].sort((a, b) => Number(a === SLOWEST_SIZE) - Number(b === SLOWEST_SIZE));
  for (const [at, size] of slowLast.entries()) {
    if (at === slowLast.length - 1) await measureLarge();
    await measureSize(size);
    await keepResults();
  }
  console.log(`\n${tablesOf(document())}`);
} finally {
  rmSync(base, { recursive: true, force: true });
}

/** Every tool's first run, then the rounds. Those that may take all the time there is come last. */
async function measureSize(size) {
  const projects = [];
  const before = (tool) => results.filter((one) => one.tool === tool && one.size < size).at(-1)?.first ?? 0;
  const tools = Object.keys(versions).filter((tool) => size <= TOOLS[tool].limit);
  for (const tool of tools.sort((a, b) => before(a) - before(b))) await prepare(projects, tool, size);
  for (let round = 1; round <= rounds; round++)
    for (const project of projects.filter(({ failed }) => !failed)) await measureRound(project, round);
  for (const { folder } of projects) rmSync(folder, { recursive: true, force: true });
  await keepResults();
}

async function prepare(projects, tool, size) {
  const before = results.filter((one) => one.tool === tool && one.size < size).at(-1);
  const expectedMs = before === undefined ? 0 : (before.first * size) / before.size;
  if (leaveOutEarly(tool, size, expectedMs)) return;
  try {
    projects.push(await firstRun(tool, size));
  } catch (error) {
    leaveOut({ tool, size, why: firstLine(error) });
    rmSync(folderOf(tool, size), { recursive: true, force: true });
  }
}

function leaveOutEarly(tool, size, expectedMs) {
  const smaller = leftOut.find((one) => one.tool === tool && one.size !== undefined && one.size < size);
  const why =
    smaller !== undefined
      ? `was left out at ${smaller.size} stages`
      : leftMs() < ROUNDS_SHARE * Number(flags.minutes) * MINUTE_MS
        ? `what was left of the ${flags.minutes} minutes belonged to rounds`
        : expectedMs > FIRST_RUN_MS
          ? `its first run would take over 15 minutes, by that of a smaller size`
          : undefined;
  if (why !== undefined) leaveOut({ tool, size, why });
  return why !== undefined;
}

/** The project written and run once. */
async function firstRun(tool, size) {
  const folder = folderOf(tool, size);
  const chains = size / LENGTH;
  mkdirSync(join(folder, "in"), { recursive: true });
  mkdirSync(join(folder, "out"));
  for (let chain = 0; chain < chains; chain++)
    for (let stage = 1; stage <= LENGTH; stage++) writeFileSync(join(folder, own(chain, stage)), `${chain} ${stage}\n`);
  const project = { tool, size, chains, folder, texts: new Map() };
  TOOLS[tool].write(folder, chains);
  const first = await timed(project, TOOLS[tool].run(), leftMs() - ROUNDS_SHARE * Number(flags.minutes) * MINUTE_MS);
  verify(project, 0);
  verify(project, chains - 1);
  say(`${size} stages, first run  ${tool.padEnd(10)} ${ms(first)}`);
  project.result = { tool, size, first, noop: [], one: [], node: [], also: {} };
  results.push(project.result);
  return project;
}

async function measureRound(project, round) {
  const { tool, size, chains, folder, result } = project;
  const spentMs = [...result.noop, ...result.one].reduce((sum, one) => sum + one, 0);
  const perRoundMs = spentMs / (round - 1);
  if (round > 1 && (spentMs + perRoundMs > ROUNDS_MS || perRoundMs > leftMs())) return;
  if (leftMs() < 0) return;
  const { run, also = () => ({}), stageMs } = TOOLS[tool];
  try {
    result.node.push(await timed(project, [process.execPath, "-e", "0"]));
    const nothing = await timed(project, run());
    for (const [name, command] of Object.entries(also(chains))) {
      result.also[name] ??= [];
      result.also[name].push(await timed(project, command));
    }
    change(project, round);
    const one = await timed(project, run());
    verify(project, chains - 1);
    // Both or none: a round that failed half way is no round.
    result.noop.push(nothing);
    result.one.push(one);
    if (stageMs !== undefined) result.stage = [...(result.stage ?? []), stageMs(folder)];
    say(`${size} stages, round ${round}/${rounds}  ${tool.padEnd(10)} nothing ${ms(nothing)}  one stage ${ms(one)}`);
  } catch (error) {
    project.failed = true;
    leaveOut({ tool, size, why: `${firstLine(error)} (round ${round})` });
  }
}

/** Milliseconds of one run, which must succeed. What it started ends with it. */
function timed({ tool, folder }, [program, ...args], mostMs = leftMs()) {
  const limitMs = Math.max(1000, Math.min(FIRST_RUN_MS, mostMs));
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...TOOLS[tool].environment },
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    children.add(child);
    let stderr = "";
    child.stderr.on("data", (piece) => {
      stderr = (stderr + piece).slice(-10_000);
    });
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      killTree(child);
    }, limitMs);
    let elapsed;
    child.on("exit", () => {
      elapsed = Number(process.hrtime.bigint() - begin) / 1e6;
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      children.delete(child);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      children.delete(child);
      if (isOver) reject(new Error(`its run took over ${ms(limitMs)}, which was all the time it had`));
      else if (status !== 0)
        reject(new Error(`its run ended with ${signal ?? `exit code ${status}`}: ${stderr.trim().split("\n").at(-1)}`));
      else resolve(elapsed);
    });
  });
}

function killTree({ pid }) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
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

/** Our no-op with gigabytes of inputs beside one with tiny ones, and how fast they are digested. */
async function measureLarge() {
  if (!(gigabytes > 0) || versions.tfpipe === undefined) return;
  try {
    large = await largeInputs();
  } catch (error) {
    leaveOut({ tool: "tfpipe", why: `${gigabytes} GB of inputs: ${firstLine(error)}` });
  }
  await keepResults();
}

async function largeInputs() {
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
    inputs: { list: ./list.txt, data: ./data }
    outputs: { out: out.txt }
    run: cat "\${inputs.list}" > "\${outputs.out}"
`,
    );
    writeFileSync(join(folder, "list.txt"), "list\n");
    return { tool: "tfpipe", folder };
  };
  const run = TOOLS.tfpipe.run();
  const tiny = make("tiny", 1000);
  const vast = make("large", gigabytes * GIGABYTE);
  await timed(tiny, run);
  const measured = { gigabytes, first: await timed(vast, run), digest: [], noop: [], tiny: [] };
  say(`${gigabytes} GB of inputs, first run ${ms(measured.first)}`);
  for (let round = 0; round < rounds; round++) {
    measured.tiny.push(await timed(tiny, run));
    measured.noop.push(await timed(vast, run));
  }
  // Runs take digests from memory; a paranoid one reads every input anew.
  measured.digest.push(await timed(vast, [...run, "--paranoid"]));
  for (const { folder } of [tiny, vast]) rmSync(folder, { recursive: true, force: true });
  return measured;
}

function document() {
  const machine = {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    loadAtEnd: Number(loadavg()[0].toFixed(2)),
  };
  const order = (one) => one.size * 100 + names.indexOf(one.tool);
  return {
    machine,
    versions,
    rounds,
    minutes: Math.ceil((Date.now() - beginMs) / MINUTE_MS),
    results: [...results].sort((a, b) => order(a) - order(b)),
    large,
    leftOut,
  };
}

async function keepResults() {
  if (outFolder === undefined) return;
  const measured = document();
  mkdirSync(outFolder, { recursive: true });
  writeFileSync(join(outFolder, "results.json"), `${JSON.stringify(measured)}\n`);
  writeFileSync(join(outFolder, "RESULTS.md"), tablesOf(measured));
  try {
    writeFileSync(join(outFolder, "results.svg"), await drawResults(measured));
  } catch (error) {
    say(`The curve could not be drawn: ${firstLine(error)}`);
  }
}

function folderOf(tool, size) {
  return join(base, `${tool}-${size}`);
}

function leaveOut(one) {
  leftOut.push(one);
  say(`left out: ${one.tool}${one.size === undefined ? "" : `, ${one.size} stages`}: ${one.why}`);
}

function firstLine(error) {
  return String(error.message ?? error).split("\n")[0];
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function ms(value) {
  return value < 10_000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(0)} s`;
}
