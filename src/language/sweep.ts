/**
 * `--grid` and `--random`: params with the values to try, to the combinations that the pipeline is fanned out into.
 *
 *   --grid learningRate=0.1,0.01 --grid seed=1,2        every combination: four trials
 *   --random "learningRate=log(1e-3..1e-1)" --trials 12  twelve draws; with a grid beside it, each draw under each combination
 *
 * Stays true: draw i of a param is a function of the sweep's seed, the param's name and i alone. So the same command tries
 * the same, more trials begin with the ones before, and another param beside it changes no value of this one.
 */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { canonicalJson } from "../json.ts";
import { createRng, type Rng } from "../rng.ts";
import { type Located, type LocatedMap, toJson } from "./located.ts";
import { type Combination, checkDistinct, type Matrix, MOST_COMBINATIONS } from "./matrix.ts";
import { isDeclared, paramNames, parseOverride } from "./merge.ts";
import { GRID_FILE, RANDOM_FILE } from "./pseudo-files.ts";
import type { SweepWords } from "./sweep-words.ts";

/** Params by dotted name. */
export type Sweep = Matrix;

/** Undefined after a problem. */
export function readSweep(words: SweepWords, params: LocatedMap, report: ReportDiagnostic): Sweep | undefined {
  let sound = true;
  const problem: ReportDiagnostic = (diagnostic) => {
    sound = false;
    report(diagnostic);
  };
  const spans = new Map<string, Span>();
  const found = [...splitWords(words.grid, GRID_FILE, problem), ...splitWords(words.random, RANDOM_FILE, problem)];
  const known = found.filter(({ name, keySpan }) => isSweepable(name, keySpan, params, spans, problem));
  const grid: [string, readonly Located[]][] = [];
  const random: [string, Draw][] = [];
  for (const word of known) {
    if (word.file === GRID_FILE) {
      const values = readValues(word, problem);
      checkDistinct(word.name, values, problem);
      grid.push([word.name, values]);
    } else {
      const draw = readDistribution(word, problem);
      if (draw !== undefined) random.push([word.name, draw]);
    }
  }
  if (!sound) return undefined;
  const size = grid.reduce((product, [, { length }]) => product * length, random.length === 0 ? 1 : words.trials);
  if (size > MOST_COMBINATIONS) {
    const [first] = spans.values();
    problem(
      diagnose("language/too-large", { what: "the sweep has too many trials", limit: `${MOST_COMBINATIONS}` }, first!),
    );
    return undefined;
  }
  const rngs = random.map(([name]) => createRng(words.seed, "sweep", name));
  const draws = random.length === 0 ? [NONE] : Array.from({ length: words.trials }, () => drawOnce(random, rngs));
  let combinations: readonly Combination[] = [NONE];
  for (const [name, values] of grid)
    combinations = combinations.flatMap((one) => values.map((value) => new Map([...one, [name, value]])));
  combinations = combinations.flatMap((one) => draws.map((drawn) => new Map([...one, ...drawn])));
  return { axes: known.map(({ name }) => name), spans, combinations: distinct(combinations) };
}

const NONE: Combination = new Map();

interface SweepWord {
  readonly file: string;
  readonly name: string;
  readonly keySpan: Span;
  /** What stands behind the `=`, and where. */
  readonly text: string;
  readonly base: number;
}

function splitWords(words: readonly string[], file: string, problem: ReportDiagnostic): readonly SweepWord[] {
  let start = 0;
  return words.flatMap((text) => {
    const base = start;
    start += text.length + 1;
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (equals > 0 && equals < text.length - 1)
      return [
        {
          file,
          name,
          keySpan: { file, start: base, end: base + equals },
          text: text.slice(equals + 1),
          base: base + equals + 1,
        },
      ];
    const what = equals === 0 ? "names no param" : "says nothing to try";
    const example = file === GRID_FILE ? "learningRate=0.1,0.01" : '"learningRate=log(1e-3..1e-1)"';
    const span = { file, start: base, end: base + text.length };
    problem(diagnose("language/bad-sweep", { text, problem: what, help: `as in: ${file} ${example}` }, span));
    return [];
  });
}

/** A dotted name that can be a part of a folder's name. */
const SWEEPABLE = /^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/;

/** Notes its span where it is. */
function isSweepable(
  name: string,
  span: Span,
  params: LocatedMap,
  spans: Map<string, Span>,
  problem: ReportDiagnostic,
): boolean {
  const other = [...spans].find(([one]) => one === name || one.startsWith(`${name}.`) || name.startsWith(`${one}.`));
  if (!SWEEPABLE.test(name) || name.split(".").includes("__proto__")) {
    const help = "its name would be a part of folders' names: letters, digits, _ and -";
    problem(diagnose("language/bad-sweep", { text: name, problem: "cannot be swept", help }, span));
  } else if (!isDeclared(params, name.split("."))) {
    const known = paramNames(params);
    problem(diagnose("language/unknown-param", { param: name, suggestion: closestName(name, known), known }, span));
  } else if (other !== undefined) {
    const words = { text: name, problem: "is swept twice" };
    problem(diagnose("language/bad-sweep", words, span, [{ message: "here too", span: other[1] }]));
  } else {
    spans.set(name, span);
    return true;
  }
  return false;
}

/** Values between commas; those within brackets and quotes belong to a value. */
function readValues({ file, text, base }: SweepWord, problem: ReportDiagnostic): readonly Located[] {
  return splitAtCommas(text).flatMap(({ part, at }) => {
    if (part.trim() !== "") return parseOverride(part.trim(), { file, base: base + at + leading(part) }, problem) ?? [];
    const span = { file, start: base + at, end: base + at + Math.max(1, part.length) };
    const help = 'one that is empty is written ""';
    problem(diagnose("language/bad-sweep", { text, problem: "has a value that is missing", help }, span));
    return [];
  });
}

const leading = (text: string): number => text.length - text.trimStart().length;

function splitAtCommas(text: string): readonly { readonly part: string; readonly at: number }[] {
  const parts: { readonly part: string; readonly at: number }[] = [];
  let depth = 0;
  let quoted = "";
  let at = 0;
  for (let i = 0; i <= text.length; i++) {
    const character = text[i];
    if (i === text.length || (character === "," && depth === 0 && quoted === "")) {
      parts.push({ part: text.slice(at, i), at });
      at = i + 1;
    } else if (quoted !== "") {
      if (character === quoted) quoted = "";
    } else if (character === '"' || character === "'") quoted = character;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
  }
  return parts;
}

/** The next value of a param. */
type Draw = (rng: Rng) => Located;

const DISTRIBUTION = /^\s*(log|uniform|int|choice)\((.*)\)\s*$/s;
const RANGE = /^\s*([-+.\deE]+?)\s*\.\.\s*([-+.\deE]+)\s*$/;

function readDistribution(word: SweepWord, problem: ReportDiagnostic): Draw | undefined {
  const { file, text, base } = word;
  const span = { file, start: base, end: base + text.length };
  const wrong = (what: string, help: string): undefined => {
    problem(diagnose("language/bad-sweep", { text, problem: what, help }, span));
    return undefined;
  };
  const [, kind, inner] = DISTRIBUTION.exec(text) ?? [];
  if (kind === undefined || inner === undefined)
    return wrong("is no distribution", "it is log(1e-3..1e-1), uniform(0.8..0.99), int(1..8) or choice(a, b)");
  if (kind === "choice") {
    const values = readValues({ ...word, text: inner, base: base + text.indexOf("(") + 1 }, problem);
    checkDistinct(word.name, values, problem);
    return values.length === 0 ? undefined : (rng) => values[rng.integer(values.length)]!;
  }
  const [, lowText, highText] = RANGE.exec(inner) ?? [];
  const [low, high] = [Number(lowText), Number(highText)];
  if (lowText === undefined || !Number.isFinite(low) || !Number.isFinite(high))
    return wrong(
      "has no range",
      `two numbers with two dots between them: ${kind}(${EXAMPLES[kind as keyof typeof EXAMPLES]})`,
    );
  if (low >= high) return wrong("is of an empty range", "the smaller number is the first one");
  const located = (value: number): Located => ({ kind: "scalar", value, span });
  switch (kind) {
    case "log":
      if (low <= 0)
        return wrong(
          "reaches to zero or below, where there is no logarithm",
          "begin above 0, or draw with uniform(..)",
        );
      return (rng) => located(within(low, high, Number(drawLog(rng, low, high).toPrecision(4))));
    case "uniform":
      return (rng) => located(within(low, high, roundTo(low + rng.uniform() * (high - low), high - low)));
    default:
      if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high - low >= 2 ** 32)
        return wrong("is not of whole numbers", "draw others with uniform(..)");
      return (rng) => located(low + rng.integer(high - low + 1));
  }
}

const EXAMPLES = { log: "1e-3..1e-1", uniform: "0.8..0.99", int: "1..8" };

function drawLog(rng: Rng, low: number, high: number): number {
  return Math.exp(Math.log(low) + rng.uniform() * (Math.log(high) - Math.log(low)));
}

/** Values are a part of folders' names, and people compare them: four digits of what a range spans are enough. */
function roundTo(value: number, span: number): number {
  const decimals = Math.min(15, Math.max(0, 4 - Math.floor(Math.log10(span))));
  return Number(value.toFixed(decimals));
}

const within = (low: number, high: number, value: number): number => Math.min(high, Math.max(low, value));

function drawOnce(random: readonly (readonly [string, Draw])[], rngs: readonly Rng[]): Combination {
  return new Map(random.map(([name, draw], i) => [name, draw(rngs[i]!)]));
}

/** What is drawn twice is one trial. */
function distinct(combinations: readonly Combination[]): readonly Combination[] {
  const seen = new Set<string>();
  return combinations.filter((one) => {
    const text = canonicalJson([...one.values()].map(toJson));
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** The trials of a pipeline that has a matrix already: each of its combinations with each of the sweep's. Undefined after a problem. */
export function sweepOver(file: Matrix | undefined, sweep: Sweep, report: ReportDiagnostic): Matrix | undefined {
  if (file === undefined) return sweep;
  const both = sweep.axes.filter((axis) => file.spans.has(axis));
  for (const axis of both) {
    const words = { text: axis, problem: "is an axis of the pipeline's matrix already" };
    const notes = [{ message: "it is here", span: file.spans.get(axis)! }];
    report(diagnose("language/bad-sweep", words, sweep.spans.get(axis)!, notes));
  }
  if (both.length > 0) return undefined;
  if (file.combinations.length * sweep.combinations.length > MOST_COMBINATIONS) {
    const words = { what: "the sweep has too many trials with the pipeline's matrix", limit: `${MOST_COMBINATIONS}` };
    report(diagnose("language/too-large", words, [...sweep.spans.values()][0]!));
    return undefined;
  }
  return {
    axes: [...file.axes, ...sweep.axes],
    spans: new Map([...file.spans, ...sweep.spans]),
    combinations: file.combinations.flatMap((one) => sweep.combinations.map((other) => new Map([...one, ...other]))),
  };
}
