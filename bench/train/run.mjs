/**
 * The benchmark: every case with every peer, interleaved in rounds so that all see the same machine, each run a process
 * of its own. Prints the tables; a whole run also writes RESULTS.md, results.svg and results.json.
 *
 *   node bench/train/run.mjs [--case NAME]... [--peer NAME]... [--rounds N] [--steps N] [--musts]
 *                            [--engine-settings KEY=VALUE,...] [--python PYTHON] [--out FOLDER] [--list]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CASES, DEFAULTS, FIGURES, PEERS } from "./cases.mjs";
import { prepareEnvironment } from "./environment.mjs";
import { importProduct, root } from "./places.mjs";
import { bars, drawTables } from "./report.mjs";

const PROCESS_LIMIT_MS = 10 * 60_000;

const { values: flags } = parseArgs({
  options: {
    case: { type: "string", multiple: true },
    peer: { type: "string", multiple: true },
    rounds: { type: "string" },
    steps: { type: "string" },
    musts: { type: "boolean", default: false },
    "engine-settings": { type: "string" },
    python: { type: "string" },
    out: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
if (flags.list) {
  for (const { name, title, kind } of CASES) console.log(`${name.padEnd(20)} ${kind.padEnd(9)} ${title}`);
  console.log(`\npeers: ${Object.keys(PEERS).join(", ")}`);
} else await measure();

async function measure() {
  const peers = { ...PEERS, ...overriddenPeer() };
  const chosen = chooseCases(peers);
  if (chosen.length === 0) throw new Error("no case has these peers: see --list");
  const uses = new Set(chosen.flatMap(({ runs }) => runs.map(({ peer }) => peers[peer].uses)));
  const programs = await prepareEnvironment(uses, flags.python);
  const product = await importProduct();
  const machine = describeMachine();
  if (machine.loadAtStart > 0.5)
    process.stderr.write(`The machine is busy (load ${machine.loadAtStart}): figures will be noisy.\n`);

  const results = chosen.map(({ name, title, kind, batch }) => ({ name, title, kind, batch, peers: {} }));
  const left = new Map();
  const rounds = Math.max(...chosen.map((one) => one.rounds));
  for (let round = 0; round < rounds; round++)
    for (const [index, one] of chosen.entries())
      for (const { peer, once } of one.runs) {
        if (round >= (once ? 1 : one.rounds) || left.has(`${one.name} ${peer}`)) continue;
        const reply = runProcess(programs[peers[peer].uses], requestOf(one, peers[peer]), product);
        const what = `${one.name} ${peer}`;
        if (reply.seconds === undefined) left.set(what, reply);
        else addTo(results[index], peer, reply);
        process.stderr.write(`round ${round + 1}/${one.rounds}  ${what.padEnd(36)} ${lineOf(one, reply)}\n`);
      }

  const leftOut = [...left].map(([what, reply]) => ({ what, ...reply }));
  const titles = Object.fromEntries(Object.entries(peers).map(([name, { title }]) => [name, title]));
  machine.loadAtEnd = Number(loadavg()[0].toFixed(2));
  const document = { machine, threads: DEFAULTS.threads, titles, results, leftOut };
  const text = drawTables(document);
  console.log(`\n${text}`);
  const whole = flags.case === undefined && flags.peer === undefined && flags["engine-settings"] === undefined;
  const out =
    flags.out ?? (whole && !flags.musts && flags.steps === undefined ? join(root, "bench", "train") : undefined);
  if (out !== undefined) await write(out, text, document, peers);
  process.exitCode = leftOut.some(({ failed }) => failed !== undefined) ? 1 : 0;
}

/** `tfpipe` with other engine settings, under a title that says so. */
function overriddenPeer() {
  const text = flags["engine-settings"];
  if (text === undefined) return {};
  const settings = Object.fromEntries(text.split(",").map((pair) => pair.split("=")));
  return {
    tfpipe: { ...PEERS.tfpipe, title: `tfpipe (${text})`, settings: { ...PEERS.tfpipe.settings, ...settings } },
  };
}

function chooseCases(peers) {
  for (const [given, known] of [
    [flags.case, CASES.map(({ name }) => name)],
    [flags.peer, Object.keys(peers)],
  ])
    for (const name of given ?? [])
      if (!known.includes(name)) throw new Error(`there is no ${name}; there are ${known.join(", ")}`);
  const promised = new Set(FIGURES.flatMap(({ pair = [] }) => pair));
  const wanted = (peer) => flags.peer?.includes(peer) ?? (!flags.musts || promised.has(peer));
  return CASES.filter(({ name }) => flags.case?.includes(name) ?? true)
    .filter(({ kind }) => !flags.musts || (kind !== "evaluate" && kind !== "load"))
    .map((one) => ({
      ...DEFAULTS,
      ...one,
      ...(flags.rounds !== undefined && { rounds: Number(flags.rounds) }),
      runs: [
        ...one.peers.every.filter(wanted).map((peer) => ({ peer, once: false })),
        ...one.peers.once.filter(wanted).map((peer) => ({ peer, once: true })),
      ],
    }))
    .filter(({ runs }) => runs.length > 0);
}

function requestOf(one, peer) {
  const { kind, model, size, batch, transforms, threads, warmup, minimumSteps, budgetSeconds } = one;
  // Workers finish in bursts: a loader's rate needs its many batches.
  const steps = flags.steps === undefined || kind === "load" ? undefined : Number(flags.steps);
  const work = { kind, model, size, batch, transforms, threads, warmup, minimumSteps, budgetSeconds, steps };
  return { ...work, settings: peer.settings };
}

/** What the process replied, `{ refused }` where our engine has no such variant, or `{ failed }`. */
function runProcess({ command, problem }, request, product) {
  if (problem !== undefined) return { failed: problem };
  const [program, script] = command;
  const threads = String(request.threads);
  try {
    const output = execFileSync(program, [script, JSON.stringify(request)], {
      env: {
        ...process.env,
        ...{ TF_NUM_INTRAOP_THREADS: threads, TF_NUM_INTEROP_THREADS: threads, TF_CPP_MIN_LOG_LEVEL: "2" },
        ...{ OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads, CUDA_VISIBLE_DEVICES: "-1" },
        // As a pipeline's stages are started.
        ...(script.endsWith("tfpipe.mjs") && product.nativeEnvironment(request.threads)),
      },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PROCESS_LIMIT_MS,
      maxBuffer: 2 ** 26,
    });
    return JSON.parse(output.trimEnd().split("\n").at(-1));
  } catch (error) {
    const lines = (error.stderr || error.message).trimEnd().split("\n");
    return { failed: lines.findLast((line) => /error|killed|refused/i.test(line))?.trim() ?? lines.at(-1) };
  }
}

function addTo(result, peer, { seconds, peakBytes, version, share }) {
  result.peers[peer] ??= { seconds: [], peakBytes: 0, version };
  const measured = result.peers[peer];
  measured.seconds.push(seconds);
  measured.peakBytes = Math.max(measured.peakBytes, peakBytes);
  if (share !== undefined) measured.share = [...(measured.share ?? []), share];
}

function lineOf({ batch }, { seconds, share, refused, failed }) {
  if (refused !== undefined) return `left out: ${refused}`;
  if (failed !== undefined) return `FAILED: ${failed}`;
  const best = Math.min(...seconds);
  const waiting = share === undefined ? "" : `, ${(100 * share).toFixed(2)} % waiting`;
  return `${(batch / best).toFixed(1)} images/s best of ${seconds.length}${waiting}`;
}

/** Without names of hosts, paths or people. */
function describeMachine() {
  const [first] = cpus();
  return {
    processor: first.model,
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAtStart: Number(loadavg()[0].toFixed(2)),
    date: new Date().toISOString().slice(0, 10),
  };
}

async function write(folder, text, document, peers) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "results.json"), rawJson(document));
  writeFileSync(join(folder, "RESULTS.md"), text);
  const rows = bars(document);
  if (rows.length === 0) return;
  const { drawBars } = await importProduct("chart.js");
  const font = (weight) => join(root, "assets", "fonts", `Inter-${weight}.ttf`);
  const svg = await drawBars({
    title: "Training on two threads, against PyTorch",
    subtitle: "optimiser steps, medians of one interleaved run",
    bars: rows,
    peers: Object.values(peers),
    fontFiles: { regular: font("Regular"), semiBold: font("SemiBold") },
  });
  writeFileSync(join(folder, "results.svg"), svg);
}

/** Everything measured, a list of times a line. */
function rawJson(document) {
  const short = (_, value) =>
    typeof value !== "number" || Number.isInteger(value) ? value : Number(value.toPrecision(6));
  const text = JSON.stringify(document, short, 2);
  return `${text.replace(/\[\s+(-?\d[^[\]{}"]*?)\s+\]/g, (_, numbers) => `[${numbers.replace(/\s+/g, " ")}]`)}\n`;
}
