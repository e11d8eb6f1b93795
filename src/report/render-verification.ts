/** What was verified, stage by stage, and what differs down to the first element. */
import type { StageVerification, Verification } from "../cache/verification.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { differenceLines, jsonLines } from "./render-difference.ts";
import type { TextStyle } from "./reporter.ts";
import { nameWidthFor } from "./stage-line.ts";
import { padEnd, printableLine, truncate } from "./text-width.ts";

/** One stage, as soon as it is known. Lines without a final break. */
export function renderStageVerification(
  verified: StageVerification,
  stages: readonly { readonly stage: string }[],
  style: TextStyle,
): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const nameWidth = nameWidthFor(stages, style.columns);
  const { mark, word, paint } = wordsOf(verified, palette);
  const name = padEnd(truncate(verified.stage, nameWidth), nameWidth);
  const head = `${paint(mark)} ${palette.bold(name)}  ${paint(padEnd(word, 9))}  `;
  const room = Math.max(20, width - 2 - nameWidth - 2 - 9 - 2);
  const [first = "", ...rest] = breakText(tailOf(verified), room);
  const margin = " ".repeat(width - room);
  const lines = [`${head}${first}`.trimEnd(), ...rest.map((line) => `${margin}${line}`)];
  for (const line of detailLines(verified, width - 4)) lines.push(`    ${line}`);
  return lines.join("\n");
}

/** The last line. */
export function renderVerificationTotal({ stages, sample }: Verification, style: TextStyle): string {
  const palette = createPalette(style.color);
  const count = (verdict: StageVerification["verdict"]) => stages.filter((one) => one.verdict === verdict).length;
  const replayed = count("identical") + count("differs");
  const parts = [
    `${count("identical")} identical`,
    ...plainCount(count("differs"), count("differs") === 1 ? "differs" : "differ"),
    ...plainCount(count("failed"), "failed"),
    ...plainCount(count("unchecked"), "not checked"),
    ...plainCount(count("interrupted"), "interrupted"),
    ...plainCount(count("left-out"), "left out"),
  ];
  const chosen =
    sample === undefined ? "" : ` (a sample: --sample ${round(sample.share * 100)}% --seed ${sample.seed})`;
  const text = `verified ${replayed} of ${formatPlural(stages.length, "stage")}: ${parts.join(", ")}${chosen}`;
  const lines = breakText(text, style.columns - 1, 2);
  const paint = replayed === count("identical") && replayed > 0 ? palette.green : palette.red;
  return lines.map((line) => paint(line)).join("\n");
}

const plainCount = (count: number, word: string): readonly string[] => (count === 0 ? [] : [`${count} ${word}`]);
const round = (value: number): number => Math.round(value * 100) / 100;

function wordsOf({ verdict }: StageVerification, palette: Palette) {
  switch (verdict) {
    case "identical":
      return { mark: "✓", word: "identical", paint: palette.green };
    case "differs":
      return { mark: "✗", word: "differs", paint: palette.red };
    case "failed":
      return { mark: "✗", word: "failed", paint: palette.red };
    case "unchecked":
      return { mark: "?", word: "unchecked", paint: palette.yellow };
    case "interrupted":
      return { mark: "■", word: "stopped", paint: palette.yellow };
    case "left-out":
      return { mark: "-", word: "left out", paint: palette.dim };
    default:
      return verdict satisfies never;
  }
}

function tailOf(verified: StageVerification): string {
  switch (verified.verdict) {
    case "identical":
    case "differs": {
      const { artifacts, durationMs, madeOn, stretch, earlierCode, whole } = verified;
      const what =
        stretch === undefined
          ? formatPlural(artifacts, "artifact")
          : `${stretch.name} alone, from ${stretch.after === undefined ? "the beginning" : `the checkpoint of ${stretch.after}`}`;
      const elsewhere =
        madeOn === undefined
          ? []
          : [
              `made on ${madeOn.recorded}, run again on ${madeOn.here}: equal bits are promised within one class of machines`,
            ];
      const waived =
        verified.verdict === "differs" && verified.waived !== undefined ? [`let pass: ${verified.waived}`] : [];
      const because = [
        ...(earlierCode === undefined ? [] : ["by the code that made it, which is another one by now"]),
        ...(whole === undefined ? [] : [`run whole: ${whole}`]),
      ];
      return [what, formatDuration(durationMs), ...because, ...waived, ...elsewhere].join("; ");
    }
    case "failed":
      return printableLine(verified.failure.message);
    case "unchecked":
      return [verified.reason, ...(verified.help === undefined ? [] : [verified.help])].map(printableLine).join("; ");
    case "interrupted":
    case "left-out":
      return "";
    default:
      return verified satisfies never;
  }
}

function detailLines(verified: StageVerification, width: number): readonly string[] {
  if (verified.verdict === "failed") {
    const { help, lastOutput } = verified.failure;
    return [...(help === undefined ? [] : [help]), ...lastOutput.slice(-10).map(printableLine)].flatMap((line) =>
      breakText(line, width, 2),
    );
  }
  if (verified.verdict !== "differs") return [];
  const { differences, metrics } = verified;
  return [
    ...differences.flatMap((difference) => differenceLines(difference, width)),
    ...(metrics === undefined
      ? []
      : ["metrics:", ...jsonLines(metrics).flatMap((line) => breakText(`  ${line}`, width, 4))]),
  ];
}
