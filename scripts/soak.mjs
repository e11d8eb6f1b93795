/**
 * Lets the built program run one small project over and over, with random edits in between: runs are killed at random
 * moments, two go on at once, results and store are spoilt, garbage is collected. After each run that comes to its end the
 * results are what a model says, and nothing that was done before was done again. Now and then the store is compared with
 * that of the same project run once: no larger, but for a constant.
 *
 *   node scripts/soak.mjs [--steps 200] [--minutes 10] [--seed 1] [--program dist/pipe.js] [--keep]
 *
 * Ends with 1 at the first thing that is not right, and then says seed, step and what had been done, and keeps the folder.
 */
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesBelow, sizeOf, spoilStore, spoilVisible } from "./soak/damage.mjs";
import { PIPELINE, SoakProject } from "./soak/project.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "200" },
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    program: { type: "string", default: join(root, "dist", "pipe.js") },
    keep: { type: "boolean", default: false },
  },
});

/** No run of the project takes longer, whatever else the machine does. A lock that blocks does. */
const LONGEST_MS = 120_000;
/** How much larger than that of a fresh project a store may be after `gc --keep-last 1`: records of runs that did nothing. */
const ALLOWANCE_BYTES = 64 * 1024;
const STEPS_PER_CHECK = 50;

class Violation extends Error {}

const seed = Number(options.seed);
const draw = createDraw(seed);
const folder = realpathSync(mkdtempSync(join(tmpdir(), "soak-")));
const home = join(folder, "project");
mkdirSync(home);
const store = join(home, "artifacts", ".store");
const visible = join(home, "artifacts", PIPELINE);
const project = new SoakProject(home, draw);

/** Fingerprints whose results are in the store, and those of which it is not certain. */
const known = new Set();
const uncertain = new Set();
const counts = { runs: 0, kills: 0, groupKills: 0, interrupts: 0, pairs: 0, spoilt: 0, collections: 0, refused: 0 };
const sizes = [];
let doneInStep = [];
let usualMs = 1_000;

const startMs = performance.now();
const minutes = () => (performance.now() - startMs) / 60_000;
let step = 0;
try {
  for (; step < Number(options.steps) && minutes() < Number(options.minutes); step++) {
    doneInStep = [];
    // A run that has something to do can be disturbed.
    const isDisturbed = draw(3) > 0;
    for (let edits = (isDisturbed ? 1 : 0) + draw(4); edits > 0; edits--) change();
    if (isDisturbed) await disturb();
    await runToItsEnd();
    if (draw(8) === 0) await collectGarbage(["--keep-last", String(1 + draw(3))]);
    if (draw(16) === 0) await collectGarbage(["--max-size", `${100 * draw(8)}kB`]);
    if (draw(16) === 0) await collectGarbage(draw(2) === 0 ? [] : ["--older-than", "1h"]);
    if ((step + 1) % STEPS_PER_CHECK === 0) {
      await compareWithFresh();
      const { storeBytes, freshBytes, differences } = sizes.at(-1);
      console.log(
        `${step + 1} steps, ${minutes().toFixed(1)} min: ${describeCounts()}; ` +
          `store ${storeBytes} B, fresh ${freshBytes} B (${differences})`,
      );
    }
  }
  doneInStep = ["the end"];
  await examine();
  await runToItsEnd();
  await compareWithFresh();
  await lookForOrphans();
  const most = Math.max(...sizes.map(({ storeBytes, freshBytes }) => storeBytes - freshBytes));
  console.log(
    `soak: seed ${seed}, ${step} steps, ${describeCounts()}, ${Math.round(minutes() * 60)} s; ` +
      `store after gc at most ${most} B larger than a fresh one (${sizes.at(-1).freshBytes} B); nothing lost`,
  );
  if (options.keep) console.log(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
} catch (error) {
  console.error(`\nsoak: seed ${seed}, step ${step}: ${error instanceof Violation ? error.message : error.stack}`);
  console.error(`in this step: ${doneInStep.join("; ")}`);
  console.error(`kept: ${folder}`);
  process.exitCode = 1;
}

function change() {
  const kind = draw(10);
  if (kind < 6) return note(project.edit(draw));
  if (kind < 8) return note(spoilVisible(visible, draw));
  const done = spoilStore(store, draw);
  if (done === undefined) return;
  counts.spoilt++;
  // What shares an object with another result may be made by either: only bytes are promised then.
  doubt(() => true);
  note(done);
}

function note(text) {
  if (text !== undefined) doneInStep.push(text);
}

function doubt(isDoubtful) {
  for (const fingerprint of known)
    if (isDoubtful(fingerprint)) {
      known.delete(fingerprint);
      uncertain.add(fingerprint);
    }
}

async function disturb() {
  switch (draw(8)) {
    case 0:
      return interrupt();
    case 1:
      return pair({ isKilled: false });
    case 2:
      return pair({ isKilled: true });
    case 3:
      return collectWhileRunning();
    default: {
      const one = start(["run", "soak.yaml", "--json"]);
      await killSometime(one);
      return learn((await one.ended).events);
    }
  }
}

/** At a random moment, or with a random line of its output. */
async function killSometime(one) {
  const group = draw(2) === 0;
  if (draw(2) === 0) await Promise.race([one.ended, sleep(draw(Math.ceil(1.2 * usualMs)))]);
  else await Promise.race([one.ended, one.line(1 + draw(40))]);
  note(`killed ${group ? "with its group " : ""}after ${one.lines()} lines`);
  if (one.kill("SIGKILL", group)) counts[group ? "groupKills" : "kills"]++;
}

async function interrupt() {
  const one = start(["run", "soak.yaml", "--json"]);
  await Promise.race([one.ended, sleep(draw(Math.ceil(usualMs)))]);
  const signal = draw(2) === 0 ? "SIGINT" : "SIGTERM";
  note(`${signal} after ${one.lines()} lines`);
  if (one.kill(signal, false)) counts.interrupts++;
  const { code, killedBy, events, stderr } = await one.ended;
  // Before the program listens to signals, they end it.
  if (code !== 0 && code !== 130 && killedBy !== signal)
    throw new Violation(`interrupted it ended with ${code}: ${stderr}`);
  learn(events);
}

async function pair({ isKilled }) {
  note(isKilled ? "two at once, one of them killed" : "two at once");
  counts.pairs++;
  const runs = [start(["run", "soak.yaml", "--json"]), start(["run", "soak.yaml", "--json"])];
  if (isKilled) await killSometime(runs[0]);
  const ended = await Promise.all(runs.map((one) => one.ended));
  for (const one of isKilled ? ended.slice(1) : ended) expectSuccess(one);
  const events = ended.flatMap((one) => one.events);
  if (!isKilled) checkExecuted(events);
  learn(events);
  checkVisible();
}

async function collectWhileRunning() {
  note("gc while it runs");
  const running = start(["run", "soak.yaml", "--json"]);
  await Promise.race([running.ended, sleep(draw(Math.ceil(usualMs)))]);
  await collectGarbage(["--keep-last", "1"], { mayRefuse: true });
  const ended = await running.ended;
  expectSuccess(ended);
  checkExecuted(ended.events);
  learn(ended.events);
  checkVisible();
}

async function runToItsEnd() {
  const one = start(["run", "soak.yaml", "--json"]);
  const ended = await one.ended;
  expectSuccess(ended);
  checkExecuted(ended.events);
  learn(ended.events);
  checkVisible();
  const left = readdirSync(join(store, "tmp"));
  if (left.length > 0) throw new Violation(`tmp/ still holds ${left.join(", ")}`);
  usualMs = 0.9 * usualMs + 0.1 * ended.durationMs;
}

function expectSuccess({ code, killedBy, stdout, stderr }) {
  if (code === 0) return;
  const failures = stdout.split("\n").filter((line) => line.includes('"failure"'));
  throw new Violation(`a run ended with ${code ?? killedBy}:\n${stderr}\n${failures.join("\n")}`);
}

/** Every new fingerprint was executed once, and no other. */
function checkExecuted(events) {
  const executed = new Map();
  for (const { type, fingerprint } of events)
    if (type === "stage-started") executed.set(fingerprint, (executed.get(fingerprint) ?? 0) + 1);
  for (const { type, record } of events) {
    if (type !== "stage-finished" || uncertain.has(record.fingerprint)) continue;
    const times = executed.get(record.fingerprint) ?? 0;
    const expected = known.has(record.fingerprint) ? 0 : 1;
    if (times !== expected)
      throw new Violation(
        `${record.stage} was executed ${times} times instead of ${expected} (${record.outcome}: ${record.reason})`,
      );
  }
}

function learn(events) {
  const begun = new Set();
  for (const { type, fingerprint, record } of events) {
    if (type === "stage-started") begun.add(fingerprint);
    if (type === "stage-finished" && ["ran", "fresh", "restored"].includes(record.outcome)) {
      known.add(record.fingerprint);
      uncertain.delete(record.fingerprint);
      begun.delete(record.fingerprint);
    }
  }
  for (const fingerprint of begun) if (!known.has(fingerprint)) uncertain.add(fingerprint);
}

function checkVisible() {
  const expected = project.expected();
  for (const [path, { text, executable }] of expected) {
    const full = join(visible, path);
    const stat = statSync(full, { throwIfNoEntry: false });
    if (!stat?.isFile()) throw new Violation(`${path} is not there`);
    const actual = readFileSync(full, "utf8");
    if (actual !== text)
      throw new Violation(
        `${path} is ${JSON.stringify(actual.slice(0, 80))} instead of ${JSON.stringify(text.slice(0, 80))}`,
      );
    if (((stat.mode & 0o100) !== 0) !== executable) throw new Violation(`${path} has another mode`);
  }
  const names = project.stages.map(({ name }) => name);
  for (const path of filesBelow(visible).map((full) => relative(visible, full)))
    if (names.includes(path.split("/")[0]) && !expected.has(path)) throw new Violation(`${path} should not be there`);
}

async function collectGarbage(args, { mayRefuse = false } = {}) {
  note(`gc ${args.join(" ")}`);
  let { code, stderr } = await start(["gc", ...args]).ended;
  if (code === 1 && stderr.includes("process 0 on unknown")) {
    // A lock that was cut short a moment ago may be one that is being written: half a second later it is not.
    await sleep(600);
    ({ code, stderr } = await start(["gc", ...args]).ended);
  }
  // A run that begins looks for a collector, and for that moment it is one.
  const isRefused = code === 1 && /a run is going on|another pipe gc is at work/.test(stderr);
  if (code !== 0 && !(mayRefuse && isRefused)) throw new Violation(`pipe gc ended with ${code}: ${stderr}`);
  counts[code === 0 ? "collections" : "refused"]++;
  if (code !== 0) return;
  // What the last run had stays; of the rest it depends on the limits. Beside a run nobody knows which was the last.
  const last = mayRefuse ? new Set() : lastFingerprints();
  doubt((fingerprint) => !last.has(fingerprint));
}

function lastFingerprints() {
  const { stages } = JSON.parse(readFileSync(join(store, "last", `${PIPELINE}.json`), "utf8"));
  return new Set(Object.values(stages));
}

/** The store after a collection against that of the same project that was run once. */
async function compareWithFresh() {
  await collectGarbage(["--keep-last", "1"]);
  const storeParts = partsOf(store);
  const elsewhere = join(folder, "fresh");
  mkdirSync(elsewhere);
  project.write(elsewhere);
  expectSuccess(await start(["run", "soak.yaml", "--json"], elsewhere).ended);
  await start(["gc", "--keep-last", "1"], elsewhere).ended;
  const freshParts = partsOf(join(elsewhere, "artifacts", ".store"));
  rmSync(elsewhere, { recursive: true, force: true });
  const [storeBytes, freshBytes] = [storeParts, freshParts].map((parts) =>
    Object.values(parts).reduce((a, b) => a + b, 0),
  );
  const differences = Object.entries(storeParts)
    .map(([name, bytes]) => [name, bytes - (freshParts[name] ?? 0)])
    .filter(([, more]) => more !== 0)
    .map(([name, more]) => `${name} ${more > 0 ? "+" : ""}${more}`)
    .join(", ");
  sizes.push({ storeBytes, freshBytes, differences });
  if (storeBytes > freshBytes + ALLOWANCE_BYTES)
    throw new Violation(`the store has ${storeBytes} B after gc, a fresh one ${freshBytes} B: ${differences}`);
}

function partsOf(folder) {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, sizeOf(join(folder, name))]));
}

/** What was spoilt and never touched again is repaired, and then all is right. */
async function examine() {
  for (const isRepaired of [false, true]) {
    const { code, stdout, stderr } = await start(["doctor", "--json"]).ended;
    if (code !== 0) throw new Violation(`pipe doctor ended with ${code}: ${stderr}\n${stdout}`);
    const { findings } = JSON.parse(stdout);
    if (isRepaired && findings.length > 0) throw new Violation(`pipe doctor repaired, and finds again: ${stdout}`);
  }
  doubt(() => true);
}

/** Nothing that a killed run had started may go on for long. */
async function lookForOrphans() {
  for (let waitedMs = 0; ; waitedMs += 500) {
    const left = processesIn(folder);
    if (left.length === 0) return;
    if (waitedMs > 10_000) throw new Violation(`processes are left: ${left.join(", ")}`);
    await sleep(500);
  }
}

function processesIn(place) {
  let numbers;
  try {
    numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return numbers.filter((number) => {
    try {
      return readlinkSync(`/proc/${number}/cwd`).startsWith(`${place}/`);
    } catch {
      return false;
    }
  });
}

function start(args, cwd = home) {
  if (args[0] === "run") counts.runs++;
  const child = spawn(process.execPath, [resolve(options.program), ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const startedMs = performance.now();
  let stdout = "";
  let stderr = "";
  let lines = 0;
  const waiting = [];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    lines += text.split("\n").length - 1;
    for (const one of waiting) if (lines >= one.count) one.resolve();
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise((resolve_, reject) => {
    const patience = setTimeout(() => {
      process.kill(-child.pid, "SIGKILL");
      reject(
        new Violation(`pipe ${args.join(" ")} did not end within ${LONGEST_MS / 1000} s:\n${stdout.slice(-2000)}`),
      );
    }, LONGEST_MS);
    child.on("error", reject);
    child.on("close", (code, killedBy) => {
      clearTimeout(patience);
      const events = args[0] === "run" ? stdout.split("\n").flatMap(parseEvent) : [];
      resolve_({ code, killedBy, stdout, stderr, events, durationMs: performance.now() - startedMs });
    });
  });
  // Whoever waits for the end later hears of it then.
  ended.catch(() => {});
  return {
    ended,
    lines: () => lines,
    line: (count) =>
      new Promise((resolve_) => (lines >= count ? resolve_() : waiting.push({ count, resolve: resolve_ }))),
    /** False where it had ended. */
    kill(signal, group) {
      if (child.exitCode !== null || child.signalCode !== null) return false;
      process.kill(group ? -child.pid : child.pid, signal);
      return true;
    },
  };
}

/** The last line of a run that was killed may be cut short. */
function parseEvent(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

function describeCounts() {
  const { runs, kills, groupKills, interrupts, pairs, spoilt, collections, refused } = counts;
  return (
    `${runs} runs, ${kills + groupKills} killed (${groupKills} with their group), ${interrupts} interrupted, ` +
    `${pairs} pairs, ${spoilt} times the store spoilt, ${collections} collections (${refused} refused beside a run)`
  );
}

function sleep(ms) {
  return new Promise((resolve_) => setTimeout(resolve_, ms));
}

/** Whole numbers below a bound, from a seed (mulberry32). */
function createDraw(from) {
  let state = from >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
