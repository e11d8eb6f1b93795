/**
 * Numbers of a training run for people. What a number means is read off its name, which is how stages give units:
 * `imagesPerSecond`, `peakMemoryBytes`, `secondsPerEpoch`, `trainAccuracy` (a fraction).
 */
import { formatBytes } from "./format-bytes.ts";
import { formatCount } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";

export interface Figure {
  /** Empty where the unit says what it is: `210 img/s`. */
  readonly label: string;
  readonly value: string;
}

const shortLabels: Readonly<Record<string, string>> = { learningRate: "lr" };
const shortUnits: Readonly<Record<string, string>> = { images: "img" };

export function formatFigure(name: string, value: number): Figure {
  const label = shortLabels[name] ?? name;
  if (!Number.isFinite(value)) return { label, value: String(value) };
  const rate = /^(\w+)PerSecond$/.exec(name)?.[1];
  if (rate !== undefined) {
    if (rate === "bytes") return { label: "", value: `${formatBytes(value)}/s` };
    return { label: "", value: `${formatRate(value)} ${shortUnits[rate] ?? rate}/s` };
  }
  if (/bytes$/i.test(name)) return { label: label.replace(/(?<=.)Bytes$/, ""), value: formatBytes(value) };
  if (/(^ms|Ms)$/.test(name)) return { label: label.replace(/(?<=.)Ms$/, ""), value: formatDuration(value) };
  if (/^seconds(Per\w+)?$|Seconds$/.test(name)) return { label, value: formatDuration(value * 1000) };
  if (isFraction(name) && value >= 0 && value <= 1) return { label, value: `${(value * 100).toFixed(2)} %` };
  return { label, value: formatNumber(value) };
}

/** `loss 1.234`, `210 img/s`. */
export function figureText(name: string, value: number): string {
  const figure = formatFigure(name, value);
  return figure.label === "" ? figure.value : `${figure.label} ${figure.value}`;
}

/** Four significant digits, whole numbers whole, very small and very large ones with an exponent. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return formatCount(value);
  const magnitude = Math.abs(value);
  if (magnitude < 1e-4 || magnitude >= 1e15) return String(Number(value.toPrecision(4)));
  if (magnitude >= 1000) return formatCount(value);
  // Small settings such as 0.0005 keep no trailing zeros; figures that move keep their width.
  return magnitude < 0.1 ? String(Number(value.toPrecision(3))) : value.toPrecision(4);
}

function formatRate(value: number): string {
  return value >= 100 ? formatCount(value) : value.toPrecision(value >= 10 ? 3 : 2);
}

function isFraction(name: string): boolean {
  return /(accuracy|share)$|^top[15]$|^(precision|recall|f1)$/i.test(name);
}
