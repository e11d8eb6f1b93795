/** In what artifacts differ, as lines: of tensors the first element and the largest differences, of JSON the places. */
import type {
  ArtifactDifference,
  FileDifference,
  JsonChange,
  JsonDifference,
  TensorDifference,
  TensorsDifference,
} from "../cache/artifact-difference.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import { breakText } from "./break-text.ts";
import { formatCount, formatPlural } from "./format-count.ts";
import { truncate } from "./text-width.ts";

/** Of tensors and of places in a document; more are counted. */
const SHOWN = 5;
const LONGEST_VALUE = 60;

/** None wider than `width`. */
export function differenceLines(difference: ArtifactDifference, width: number): readonly string[] {
  const { output, files, differing, unknown, before, after } = difference;
  if (unknown !== undefined)
    return breakText(`${output}: ${before.slice(0, 12)} -> ${after.slice(0, 12)}; ${unknown}`, width, 2);
  const drawn = differing.filter((file) => file.how === "drawn");
  const told = differing.filter((file) => file.how !== "drawn");
  const more = drawn.length === 0 ? "" : ` (and ${formatPlural(drawn.length, "file")} drawn from them)`;
  return [
    ...breakText(
      `${output}: ${told.length} of ${formatPlural(files, "file")} differ${told.length === 1 ? "s" : ""}${more}`,
      width,
      2,
    ),
    ...told.flatMap((file) => fileLines(file, width - 2).map((line) => `  ${line}`)),
  ];
}

function fileLines(file: FileDifference, width: number): readonly string[] {
  const titled = (text: string, lines: readonly string[] = []) => [
    ...breakText(`${file.path}: ${text}`, width, 2),
    ...lines.flatMap((line) => breakText(line, width - 2, 2)).map((line) => `  ${line}`),
  ];
  switch (file.how) {
    case "missing":
      return titled("was not made again");
    case "added":
      return titled("was not there before");
    case "mode":
      return titled("only one of the two is executable");
    case "drawn":
      return titled(`drawn from ${file.from}`);
    case "bytes": {
      const { firstByte, beforeBytes, afterBytes } = file;
      const sizes =
        beforeBytes === afterBytes
          ? `${formatCount(beforeBytes)} bytes each`
          : `${formatCount(beforeBytes)} -> ${formatCount(afterBytes)} bytes`;
      return titled(`differs from byte ${formatCount(firstByte)} on (${sizes})`);
    }
    case "values":
      return titled(placesText(file), jsonLines(file));
    case "tensors":
      return titled(tensorsText(file), tensorsLines(file));
    default:
      return file satisfies never;
  }
}

/** Places of a document: `epochs[1].trainLoss 0.5 -> 0.25`. */
export function jsonLines({ differing, first }: JsonDifference): readonly string[] {
  const shown = first.slice(0, SHOWN).map(changeText);
  return differing > shown.length ? [...shown, `and ${formatPlural(differing - shown.length, "more place")}`] : shown;
}

function placesText({ differing, maxAbsolute, maxRelative }: JsonDifference): string {
  const places = `${formatPlural(differing, "place")} differ${differing === 1 ? "s" : ""}`;
  if (maxAbsolute === undefined || maxRelative === undefined) return places;
  return `${places}, at most by ${short(maxAbsolute)} (relative ${short(maxRelative)})`;
}

function changeText({ path, before, after }: JsonChange): string {
  return `${path === "" ? "the whole" : path} ${jsonText(before)} -> ${jsonText(after)}`;
}

const jsonText = (value: JsonValue | undefined): string =>
  value === undefined ? "(none)" : truncate(canonicalJson(value), LONGEST_VALUE);

function tensorsText({ tensors, differing }: TensorsDifference): string {
  return `${differing.length} of ${formatPlural(tensors, "tensor")} differ${differing.length === 1 ? "s" : ""}`;
}

function tensorsLines({ differing, onlyBefore, onlyAfter, reshaped, metadata }: TensorsDifference): readonly string[] {
  const named = (names: readonly string[], text: string) =>
    names.length === 0
      ? []
      : [
          `${text}: ${names.slice(0, SHOWN).join(", ")}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ""}`,
        ];
  return [
    ...differing.slice(0, SHOWN).flatMap(tensorLines),
    ...(differing.length > SHOWN ? [`and ${formatPlural(differing.length - SHOWN, "more tensor")}`] : []),
    ...reshaped.slice(0, SHOWN).map(({ tensor, before, after }) => `${tensor} ${before} -> ${after}`),
    ...named(onlyBefore, "not made again"),
    ...named(onlyAfter, "not there before"),
    ...named(metadata, "metadata"),
  ];
}

/** Two lines: where it begins, and how far it goes. */
export function tensorLines(difference: TensorDifference): readonly string[] {
  const { tensor, dtype, shape, elements, differing, first, maxAbsolute, maxRelative, maxUlp } = difference;
  const { nanChanges, infinityChanges } = difference;
  const at = `${tensor}${first.index.length === 0 ? "" : `[${first.index.join(", ")}]`}`;
  const share = elements === differing ? "all" : `${shareText(differing / elements)} of`;
  const figures = [
    `${formatCount(differing)} (${share}) ${formatPlural(elements, "element")} of ${dtype} [${shape.join(", ")}]`,
    ...(maxAbsolute === undefined ? [] : [`at most by ${short(maxAbsolute)}`]),
    ...(maxRelative === undefined ? [] : [`relative ${short(maxRelative)}`]),
    ...(maxUlp === undefined ? [] : [`${maxUlp < 1e15 ? formatCount(maxUlp) : short(maxUlp)} ULP`]),
    ...(nanChanges === 0 ? [] : [`${formatCount(nanChanges)} NaN in one alone`]),
    ...(infinityChanges === 0 ? [] : [`${formatCount(infinityChanges)} infinite in one alone`]),
  ];
  return [`${at} ${valueText(first.before, dtype)} -> ${valueText(first.after, dtype)}`, `  ${figures.join(", ")}`];
}

/** The shortest text that reads back as the same value of its type. */
function valueText(value: number | string, dtype: string): string {
  if (typeof value === "string" || dtype !== "F32") return String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

function shareText(share: number): string {
  const percent = share * 100;
  return `${percent < 0.01 ? percent.toExponential(1) : percent.toFixed(2)} %`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
