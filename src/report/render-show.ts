/** What a stage made and how: artifacts with their files, metrics, measurements, params. */
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { OutputRecord, StageRecord } from "../record.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { describeEngine } from "./describe-engine.ts";
import { formatBytes } from "./format-bytes.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { formatFigure } from "./format-figure.ts";
import { nondeterminismText } from "./nondeterminism-text.ts";
import { renderFailure } from "./render-failure.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { outcomeMark } from "./stage-line.ts";
import { truncate } from "./text-width.ts";

/** A file of an artifact. */
export interface ShownFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

export interface ShownStage {
  readonly record: StageRecord;
  /** Files of each output, where they are known. */
  readonly files: Readonly<Record<string, readonly ShownFile[]>>;
  /** Visible folder of the stage, as the user would type it. */
  readonly folder?: string;
  /** Outputs that the store has no more. */
  readonly gone?: readonly string[];
  /** What it resumes from, where it left any. */
  readonly checkpoints?: CheckpointCost;
}

export interface CheckpointCost {
  readonly count: number;
  readonly sizeBytes: number;
  /** Those that `pipe gc` leaves while the stage's run is kept. */
  readonly kept: number;
}

const shownFiles = 20;

/** Lines without a final break. */
export function renderShow({ record, files, folder, gone = [], checkpoints }: ShownStage, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", palette.bold(title), ...lines.map((line) => `  ${line}`)];

  const title = `${record.stage} (${record.stageType})  ${record.outcome}: ${record.reason}`;
  const head = [
    ...breakText(title, width - 2, 2).map((line, index) =>
      index === 0
        ? `${outcomeMark(record.outcome, palette)} ${line.startsWith(record.stage) ? palette.bold(record.stage) + line.slice(record.stage.length) : line}`
        : line,
    ),
    ...facts(record, folder, checkpoints).flatMap((text) =>
      breakText(text, width - 2).map((line) => palette.dim(`  ${line}`)),
    ),
  ];
  const outputs = Object.entries(record.outputs).flatMap(([name, output]) =>
    gone.includes(name)
      ? [
          ...outputLines(name, output, [], width - 2, palette),
          palette.yellow("  its files were removed from the store"),
        ]
      : outputLines(name, output, files[name] ?? [], width - 2, palette),
  );
  return [
    ...head,
    ...section("artifacts", outputs),
    ...section("metrics", figureLines(record.metrics, width - 2)),
    ...section("measurements (of this execution)", figureLines(record.measurements, width - 2)),
    ...section("params", paramLines(record.params, width - 2)),
    ...section(
      "warnings",
      record.warnings.flatMap((line) => breakText(line, width - 2)),
    ),
    ...(record.failure === undefined ? [] : ["", renderFailure(record, style)]),
  ].join("\n");
}

/** `3 checkpoints take 510 MB of the store; pipe gc leaves 1`. */
function checkpointText({ count, sizeBytes, kept }: CheckpointCost): string {
  const take = count === 1 ? "takes" : "take";
  return `${formatPlural(count, "checkpoint")} ${take} ${formatBytes(sizeBytes)} of the store; pipe gc leaves ${kept}`;
}

function facts(record: StageRecord, folder: string | undefined, checkpoints: CheckpointCost | undefined): string[] {
  const { engine, fingerprint } = record;
  const marked = nondeterminismText(record);
  return [
    ...(marked === undefined ? [] : [marked]),
    ...(folder === undefined ? [] : [`results in ${folder}/`]),
    ...(checkpoints === undefined || checkpoints.count === 0 ? [] : [checkpointText(checkpoints)]),
    ...(record.outcome === "skipped" ? [] : [`took ${formatDuration(record.durationMs)}`]),
    ...(engine === undefined ? [] : [`engine ${describeEngine(engine)}`]),
    ...(fingerprint === undefined ? [] : [`fingerprint ${fingerprint.slice(0, 16)}`]),
  ];
}

function outputLines(
  name: string,
  output: OutputRecord,
  files: readonly ShownFile[],
  width: number,
  palette: Palette,
): string[] {
  const lines = [
    ...breakText(
      `${name}  ${output.kind}  ${formatBytes(output.sizeBytes)}  ${output.digest.slice(0, 12)}`,
      width,
      2,
    ).map((line, index) =>
      index === 0 && line.startsWith(name) ? palette.cyan(name) + line.slice(name.length) : line,
    ),
  ];
  for (const [fact, value] of Object.entries(output.facts)) {
    if (value !== undefined) lines.push(`  ${truncate(`${fact}: ${valueText(value)}`, width - 2)}`);
  }
  const rows = files
    .slice(0, shownFiles)
    .map((file) => [
      file.path === "" ? name : file.path,
      formatBytes(file.sizeBytes),
      palette.dim(file.digest.slice(0, 12)),
    ]);
  const columns = [{ title: "" }, { title: "", align: "right" as const }, { title: "" }];
  lines.push(...renderTable({ columns, rows, paintTitle: palette.dim }, width - 2).map((line) => `  ${line}`));
  if (files.length > shownFiles)
    lines.push(palette.dim(`  and ${formatPlural(files.length - shownFiles, "more file")}`));
  return lines;
}

function figureLines(figures: Readonly<Record<string, number>>, width: number): string[] {
  const rows = Object.entries(figures).map(([name, value]) => {
    const { value: text } = formatFigure(name, value);
    // Formatting rounds; where digits were lost, the whole number stands beside it.
    return [name, text, exactText(text, value)];
  });
  return renderTable(
    { columns: [{ title: "" }, { title: "", align: "right" }, { title: "" }], rows, paintTitle: (t) => t },
    width,
  );
}

function exactText(text: string, value: number): string {
  const exact = String(value);
  return text.replaceAll(",", "") === exact ? "" : exact;
}

/** Params as dotted paths, one a line. */
function paramLines(params: JsonObject, width: number): string[] {
  const rows = flatten(params, "").map(([path, value]) => [path, valueText(value)]);
  return renderTable(
    { columns: [{ title: "" }, { title: "", flexible: true }], rows, paintTitle: (text) => text },
    width,
  );
}

function flatten(value: JsonObject, prefix: string): [string, JsonValue][] {
  return Object.entries(value).flatMap(([name, member]): [string, JsonValue][] => {
    if (member === undefined) return [];
    const path = prefix === "" ? name : `${prefix}.${name}`;
    return isJsonObject(member) && Object.keys(member).length > 0 ? flatten(member, path) : [[path, member]];
  });
}

function valueText(value: JsonValue): string {
  return typeof value === "string" ? value : canonicalJson(value).replaceAll(",", ", ");
}
