/**
 * `matrix:`: axes with their values, to the combinations that stages are fanned out into.
 *
 *   matrix: { lr: [0.1, 0.01], seed: [1, 2], exclude: [{ lr: 0.01, seed: 2 }], include: [{ lr: 1, seed: 3 }] }
 *
 * Stays true: a combination's name depends on its own values only, so that adding a value renames nothing; and sizes are
 * counted before anything is multiplied.
 */
import { createHash } from "node:crypto";
import { quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { canonicalJson } from "../json.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap, toJson } from "./located.ts";
import { describeValue } from "./merge.ts";
import { wrongType } from "./pipeline-shape.ts";
import type { Resolve } from "./variables.ts";

export const MOST_COMBINATIONS = 2_000;
const MOST_EXCLUSIONS = 1_000;
const LONGEST_VALUE = 40;
const LONGEST_NAME = 100;
const AXIS_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
/** Not names of axes. */
const OPERATORS = ["include", "exclude"];

/** A value for each axis, in the order of the axes. */
export type Combination = ReadonlyMap<string, Located>;

export interface Matrix {
  readonly axes: readonly string[];
  /** Where each axis was written. */
  readonly spans: ReadonlyMap<string, Span>;
  readonly combinations: readonly Combination[];
}

/** Undefined after a problem. */
export function readMatrix(entry: LocatedEntry, resolve: Resolve, report: ReportDiagnostic): Matrix | undefined {
  let sound = true;
  const problem: ReportDiagnostic = (diagnostic) => {
    if (diagnostic.severity === "error") sound = false;
    report(diagnostic);
  };
  const map = resolve(entry.value);
  if (map === undefined) return undefined;
  if (map.kind !== "map") {
    problem(wrongType('"matrix"', "a map of axes, each with a list of values", map));
    return undefined;
  }
  const values = readAxes(map, problem);
  const inclusions = readOperator(map, "include", problem);
  const exclusions = readOperator(map, "exclude", problem);
  const axes = values.size > 0 ? [...values.keys()] : [...(inclusions[0]?.entries.keys() ?? [])];
  const spans = new Map(
    axes.map((axis) => [axis, (map.entries.get(axis) ?? inclusions[0]!.entries.get(axis)!).keySpan]),
  );
  const product = values.size === 0 ? 0 : [...values.values()].reduce((size, { length }) => size * length, 1);
  if (product + inclusions.length > MOST_COMBINATIONS || exclusions.length > MOST_EXCLUSIONS) {
    const words =
      exclusions.length > MOST_EXCLUSIONS
        ? { what: "the matrix has too many exclusions", limit: `${MOST_EXCLUSIONS}` }
        : { what: "the matrix has too many combinations", limit: `${MOST_COMBINATIONS}` };
    problem(diagnose("language/too-large", words, entry.keySpan));
  }
  checkOperands("include", inclusions, axes, problem);
  checkOperands("exclude", exclusions, axes, problem);
  if (!sound) return undefined;
  const kept = product === 0 ? [] : exclude(multiply(values), exclusions, problem);
  const combinations = distinct([...kept, ...inclusions.map((one) => inOrder(one, axes))], problem);
  if (combinations.length === 0) {
    const why = axes.length === 0 ? "has no axes" : "leaves no combination";
    problem(diagnose("language/bad-matrix", { problem: `the matrix ${why}` }, entry.keySpan));
  }
  return sound ? { axes, spans, combinations } : undefined;
}

function readAxes(map: LocatedMap, problem: ReportDiagnostic): ReadonlyMap<string, readonly Located[]> {
  const values = new Map<string, readonly Located[]>();
  for (const [axis, { keySpan, value }] of map.entries) {
    if (OPERATORS.includes(axis)) continue;
    checkAxisName(axis, keySpan, problem);
    if (value.kind !== "list") problem(wrongType(`the axis ${quote(axis)}`, "a list of values", value));
    else if (value.items.length === 0) {
      problem(diagnose("language/bad-matrix", { problem: `the axis ${quote(axis)} has no values` }, value.span));
    } else {
      values.set(axis, value.items);
      checkDistinct(axis, value.items, problem);
    }
  }
  return values;
}

function checkAxisName(axis: string, span: Span, problem: ReportDiagnostic): void {
  if (AXIS_NAME.test(axis)) return;
  const rule = "an axis' name starts with a letter and goes on with letters, digits, _ and -";
  problem(diagnose("language/bad-name", { what: "an axis of a matrix", name: axis, rule }, span));
}

/** Two values of an axis must have two names, on file systems that do not tell cases apart too. */
export function checkDistinct(axis: string, items: readonly Located[], problem: ReportDiagnostic): void {
  const seen = new Map<string, Located>();
  for (const item of items.slice(0, MOST_COMBINATIONS)) {
    const name = valueName(item).toLowerCase();
    const first = seen.get(name);
    if (first === undefined) seen.set(name, item);
    else {
      const isSame = canonicalJson(toJson(first)) === canonicalJson(toJson(item));
      const words = isSame
        ? { problem: `the axis ${quote(axis)} has ${describeValue(item)} twice` }
        : {
            problem: `two values of the axis ${quote(axis)} would have the same name ${quote(valueName(item))}`,
            help: "they must differ in more than their type and capital letters: results lie in folders of that name",
          };
      problem(diagnose("language/bad-matrix", words, item.span, [{ message: "the first is here", span: first.span }]));
    }
  }
}

function readOperator(map: LocatedMap, key: string, problem: ReportDiagnostic): readonly LocatedMap[] {
  const value = map.entries.get(key)?.value;
  if (value === undefined || isNull(value)) return [];
  const expected = "a list of maps from axes to values";
  if (value.kind !== "list") {
    problem(wrongType(`${quote(key)} of a matrix`, expected, value));
    return [];
  }
  return value.items.flatMap((item) => {
    if (item.kind === "map" && item.entries.size > 0) return [item];
    problem(wrongType(`each entry of ${quote(key)}`, "a map from axes to values", item));
    return [];
  });
}

/** What is included must name every axis; what is excluded, some. */
function checkOperands(
  key: "include" | "exclude",
  operands: readonly LocatedMap[],
  axes: readonly string[],
  problem: ReportDiagnostic,
): void {
  for (const operand of operands.slice(0, MOST_COMBINATIONS)) {
    for (const [axis, { keySpan }] of operand.entries) {
      if (!axes.includes(axis)) {
        const words = { axis, suggestion: closestName(axis, axes), known: axes };
        problem(diagnose("language/unknown-axis", words, keySpan));
      } else checkAxisName(axis, keySpan, problem);
    }
    const missing = key === "include" ? axes.filter((axis) => !operand.entries.has(axis)) : [];
    if (missing.length === 0) continue;
    const words = { problem: `what is included has no value for ${missing.map(quote).join(" and ")}` };
    problem(diagnose("language/bad-matrix", words, operand.span));
  }
}

function multiply(values: ReadonlyMap<string, readonly Located[]>): readonly Combination[] {
  let combinations: readonly Combination[] = [new Map()];
  for (const [axis, items] of values)
    combinations = combinations.flatMap((one) => items.map((item) => new Map([...one, [axis, item]])));
  return combinations;
}

function exclude(
  combinations: readonly Combination[],
  exclusions: readonly LocatedMap[],
  report: ReportDiagnostic,
): readonly Combination[] {
  if (exclusions.length === 0) return combinations;
  const texts = combinations.map(
    (one) => new Map([...one].map(([axis, value]) => [axis, canonicalJson(toJson(value))])),
  );
  const excluded = new Set<number>();
  for (const exclusion of exclusions) {
    const wanted = [...exclusion.entries].map(([axis, { value }]) => [axis, canonicalJson(toJson(value))] as const);
    let hits = 0;
    for (const [index, text] of texts.entries()) {
      if (!wanted.every(([axis, value]) => text.get(axis) === value)) continue;
      excluded.add(index);
      hits++;
    }
    // A profile may have taken the values away that it was written for, so it is no error.
    if (hits === 0)
      report({
        ...diagnose(
          "language/bad-matrix",
          { problem: "this excludes nothing: no combination has these values" },
          exclusion.span,
        ),
        severity: "warning",
      });
  }
  return combinations.filter((_, index) => !excluded.has(index));
}

const inOrder = (operand: LocatedMap, axes: readonly string[]): Combination =>
  new Map(axes.map((axis) => [axis, operand.entries.get(axis)!.value]));

/** What is included again is one; two that would share a name are a problem. */
function distinct(combinations: readonly Combination[], problem: ReportDiagnostic): readonly Combination[] {
  const seen = new Map<string, Combination>();
  return combinations.filter((one) => {
    const name = combinationName(one).toLowerCase();
    const first = seen.get(name);
    if (first === undefined) {
      seen.set(name, one);
      return true;
    }
    const differing = [...one].find(([axis, value]) => {
      return canonicalJson(toJson(value)) !== canonicalJson(toJson(first.get(axis)!));
    });
    if (differing !== undefined) {
      const [axis, value] = differing;
      const words = {
        problem: `two values of the axis ${quote(axis)} would have the same name ${quote(valueName(value))}`,
        help: "they must differ in more than their type and capital letters: results lie in folders of that name",
      };
      const notes = [{ message: "the first is here", span: first.get(axis)!.span }];
      problem(diagnose("language/bad-matrix", words, value.span, notes));
    }
    return false;
  });
}

/** `lr=0.1,seed=2`: the name of an instance after the stage's and `@`. */
export function combinationName(combination: Combination): string {
  const name = [...combination].map(([axis, value]) => `${axis}=${valueName(value)}`).join(",");
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 20)}~${shortDigest(name)}`;
}

/** A value as a part of file names. What is long, or has characters that are not safe there, ends in a digest. */
function valueName(value: Located): string {
  const text = value.kind === "scalar" ? String(value.value) : "";
  if (/^[A-Za-z0-9._+-]*[A-Za-z0-9_+-]$/.test(text) && text.length <= LONGEST_VALUE) return text;
  const safe = text
    .replaceAll(/[^A-Za-z0-9._+-]+/g, "-")
    .slice(0, LONGEST_VALUE / 2)
    .replace(/^-+|[-.]+$/g, "");
  return `${safe}${safe === "" ? "" : "~"}${shortDigest(canonicalJson(toJson(value)))}`;
}

const shortDigest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
