/** Why a stage runs, or why it does not: the difference of two key manifests in words, each with old and new value. */
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { StageDecision } from "../record.ts";
import { createPalette, type Palette } from "./ansi.ts";
import type { TextStyle } from "./reporter.ts";
import { printableLine, truncate, wrapText } from "./text-width.ts";

export interface WhyExplanation {
  readonly decision: StageDecision;
  readonly reason: string;
  readonly differences: readonly KeyDifference[];
  /** What was compared with: `the run of 2026-01-02 10:11 (ab12cd34)`. */
  readonly against: string;
  /**
   * Where a difference comes from, where that is known: of a param the place that sets it (`pipelines/x.yaml:31`), of an
   * input the stage or path that it reads (`normalize.train`).
   */
  readonly origin?: (difference: KeyDifference) => string | undefined;
}

/** Lines without a final break. */
export function renderWhy(stage: string, why: WhyExplanation, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const head = `${palette.bold(stage)} ${decisionSentence(why.decision)}`;
  if (why.differences.length === 0) return [`${head}:`, ...indent(why.reason, width)].join("\n");

  const parts = why.differences.map((difference) =>
    describeDifference(difference, why.origin?.(difference), width, palette),
  );
  return [
    why.decision === "run"
      ? `${head} because, against ${why.against}:`
      : `${head} (${why.reason}). Against ${why.against}:`,
    ...parts.map((lines) => lines.map((line) => `  ${line}`).join("\n")),
  ].join("\n");
}

function decisionSentence(decision: StageDecision): string {
  switch (decision) {
    case "run":
      return "will run";
    case "fresh":
      return "is fresh";
    case "restore":
      return "will be restored";
    case "pending":
      return "is decided when what it needs is done";
    default:
      return decision satisfies never;
  }
}

function indent(text: string, width: number): string[] {
  return wrapText(text, width - 2).map((line) => `  ${line}`);
}

function describeDifference(
  { part, name, before, after }: KeyDifference,
  origin: string | undefined,
  width: number,
  palette: Palette,
): string[] {
  const from = origin === undefined ? "" : ` (${origin})`;
  switch (part) {
    case "input": {
      const digests = change(shortDigest(before), shortDigest(after), width, palette);
      const verb = before === undefined ? "is new" : after === undefined ? "is gone" : "changed";
      const because = origin === undefined ? "" : verb === "changed" ? `, because ${origin} did` : ` (${origin})`;
      return [
        `input ${palette.bold(name)} ${verb}${because}`,
        ...(verb === "changed" ? digests.map((line) => palette.dim(`  ${line}`)) : []),
      ];
    }
    case "code": {
      const verb = before === undefined ? "is new" : after === undefined ? "is no longer used" : "was edited";
      return [`code ${palette.bold(name)} ${verb}${from}`];
    }
    case "stageType":
      return join(`stage type`, from, change(before, after, width - 12, palette));
    case "schema":
      return join(`format of keys`, from, change(before, after, width - 16, palette));
    case "package":
    case "param":
    case "output":
    case "env":
    case "numerics": {
      const label = `${part} ${name}`;
      return join(
        `${part} ${palette.bold(name)}`,
        from,
        change(before, after, width - label.length - from.length - 4, palette),
      );
    }
    default:
      return part satisfies never;
  }
}

/** On one line where it fits, else the values below, each on its own. */
function join(label: string, from: string, values: readonly string[]): string[] {
  return values.length === 1
    ? [`${label} ${values[0]}${from}`]
    : [`${label}${from}`, ...values.map((line) => `  ${line}`)];
}

function change(before: string | undefined, after: string | undefined, width: number, palette: Palette): string[] {
  const old = before === undefined ? "(none)" : printableLine(before);
  const now = after === undefined ? "(none)" : printableLine(after);
  if (old.length + now.length + 4 <= width) return [`${palette.red(old)} -> ${palette.green(now)}`];
  return [`   ${palette.red(truncate(old, 400))}`, `-> ${palette.green(truncate(now, 400))}`];
}

function shortDigest(digest: string | undefined): string | undefined {
  return digest?.replace(/^[0-9a-f]{64}$/, (hex) => hex.slice(0, 12));
}
