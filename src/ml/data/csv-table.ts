/**
 * Tables with an image a row, as MNIST is often handed out: a label and height x width x channels values.
 *
 * How many rows there are is known at the end only, and a dataset's file says so at its beginning: the pixels of the one
 * pass over a table are kept in a file beside the output until they are copied.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { type CsvError, parse } from "csv-parse";
import { gunzipped } from "./byte-reader.ts";
import { DataError } from "./data-error.ts";
import { type FileTree, findFile } from "./file-tree.ts";
import { type ImageSplit, type ImageSplits, imagesPerPiece, nameClasses } from "./image-split.ts";
import { toPixel, type ValueRange } from "./pixel-values.ts";

export interface CsvSettings {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Name of the label's column in the header, or its number from 0. */
  readonly label: string | number;
  readonly header: boolean;
  readonly delimiter: string;
  readonly valueRange: ValueRange;
  readonly classNames?: readonly string[];
}

export interface CsvOptions {
  readonly tree: FileTree;
  readonly settings: CsvSettings;
  /** For files that are gone after `close`. */
  readonly folders: { readonly train: string; readonly test: string };
  readonly signal: AbortSignal;
  onProgress(phase: string, doneBytes: number, totalBytes: number): void;
}

/**
 * Reads `train.csv` and `test.csv`, or files that end so, perhaps with `.gz`. Throws `DataError` naming file, line and
 * column. Close it, which removes what it kept on the disk.
 */
export async function openCsv(options: CsvOptions): Promise<ImageSplits & { close(): void }> {
  const find = (split: "train" | "test") =>
    findFile(options.tree, (name) => new RegExp(`(^|[_.-])${split}\\.csv(\\.gz)?$`, "i").test(name), `${split}.csv`);
  const files = { train: find("train"), test: find("test") };
  const spools: Spool[] = [];
  const close = () => {
    for (const spool of spools.splice(0)) spool.remove();
  };
  try {
    const open = async (split: "train" | "test") => {
      const { path, sizeBytes } = files[split];
      const spool = createSpool(join(options.folders[split], "rows.part"), options.settings);
      spools.push(spool);
      const labels = await readTable(options, path, sizeBytes, spool);
      return { labels, images: spool.split(labels) };
    };
    const [train, test] = [await open("train"), await open("test")];
    const classNames = nameClasses(options.settings.classNames, train.labels, test.labels);
    return { train: train.images, test: test.images, classNames, close };
  } catch (error) {
    close();
    throw error;
  }
}

interface Spool {
  write(images: Uint8Array): void;
  split(labels: Int32Array): ImageSplit;
  remove(): void;
}

function createSpool(path: string, { height, width, channels }: CsvSettings): Spool {
  const imageBytes = height * width * channels;
  const file = openSync(path, "w+");
  return {
    write(images) {
      for (let done = 0; done < images.length; ) done += writeSync(file, images, done);
    },
    split: (labels) => ({
      count: labels.length,
      height,
      width,
      channels,
      async read(use) {
        for (let first = 0; first < labels.length; ) {
          const next = Math.min(labels.length, first + imagesPerPiece(imageBytes));
          const images = new Uint8Array((next - first) * imageBytes);
          for (let done = 0; done < images.length; ) {
            const count = readSync(file, images, done, images.length - done, first * imageBytes + done);
            if (count === 0) throw new Error(`${path} ended while it was read`);
            done += count;
          }
          use(first, images, labels.subarray(first, next));
          first = next;
        }
      },
    }),
    remove() {
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

/** Writes the pixels of all rows to `spool`; the labels. */
async function readTable(options: CsvOptions, path: string, sizeBytes: number, spool: Spool): Promise<Int32Array> {
  const { tree, settings, signal, onProgress } = options;
  const { height, width, channels, delimiter } = settings;
  const imageBytes = height * width * channels;
  const labels: number[] = [];
  const piece = new Uint8Array(imagesPerPiece(imageBytes) * imageBytes);
  let inPiece = 0;
  let reader: RowReader | undefined;
  const name = `${path} in ${tree.name}`;

  await tree.stream(path, async (pieces) => {
    let doneBytes = 0;
    async function* counted() {
      for await (const bytes of pieces) {
        signal.throwIfAborted();
        doneBytes += bytes.length;
        onProgress(`reading ${path}`, doneBytes, sizeBytes);
        yield bytes;
      }
    }
    const parser = parse({
      delimiter,
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      // A quote that is never closed would take the whole file for one cell.
      max_record_size: 4096 + 64 * (imageBytes + 1),
    });
    const source = Readable.from(gunzipped(counted()));
    let failure: unknown;
    source.on("error", (error) => (failure ??= error));
    pipeline(source, parser, () => {});
    try {
      for await (const { record, info } of parser as AsyncIterable<CsvRow>) {
        if (reader === undefined) {
          reader = createRowReader(name, record, settings);
          if (settings.header) continue;
        }
        labels.push(reader(record, info.lines, piece, inPiece * imageBytes));
        if (++inPiece * imageBytes < piece.length) continue;
        spool.write(piece);
        inPiece = 0;
      }
    } catch (error) {
      throw explain(name, failure ?? error);
    } finally {
      source.destroy();
      parser.destroy();
    }
  });
  spool.write(piece.subarray(0, inPiece * imageBytes));
  if (labels.length === 0) throw new DataError(`${name} has no rows of images`);
  return Int32Array.from(labels);
}

interface CsvRow {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Puts a row's pixels into `out` from byte `at` on; its label. */
type RowReader = (record: readonly string[], line: number, out: Uint8Array, at: number) => number;

/** `first` is the table's first line, whatever is in it. */
function createRowReader(name: string, first: readonly string[], settings: CsvSettings): RowReader {
  const { height, width, channels, header, valueRange, classNames = [] } = settings;
  const columns = 1 + height * width * channels;
  const labelColumn = findLabel(name, first, settings);
  if (first.length !== columns)
    throw new DataError(
      `${name} has ${first.length} columns in line 1, but a label and ${height} x ${width} x ${channels} pixels take ${columns}`,
      "change `csv.height`, `csv.width` or `csv.channels`; other columns have to be removed, and another separator is `csv.delimiter`",
    );
  const columnName = (column: number) => (header ? `column ${column} (${first[column]})` : `column ${column}`);
  const whole = valueRange[0] === 0 && valueRange[1] === 255;

  return (record, line, out, at) => {
    if (record.length !== columns)
      throw new DataError(`${name}, line ${line}, has ${record.length} columns, and line 1 has ${columns}`);
    const text = record[labelColumn]!.trim();
    const named = classNames.indexOf(text);
    const label = isNumber(text) ? Number(text) : named;
    if (!Number.isInteger(label) || label < 0 || label > 65_535)
      throw new DataError(
        `${name}, line ${line}, ${columnName(labelColumn)}: the label is ${JSON.stringify(text)}, not a whole number from 0 on`,
        "labels that are names have to be listed in `classNames`",
      );
    for (let column = 0, to = at; column < columns; column++) {
      if (column === labelColumn) continue;
      const cell = record[column]!;
      const pixel = isNumber(cell) ? toPixel(Number(cell), valueRange, whole) : "it is not a number";
      if (typeof pixel === "string")
        throw new DataError(
          `${name}, line ${line}, ${columnName(column)}: the pixel is ${JSON.stringify(cell)}: ${pixel}`,
          isNumber(cell)
            ? `which values are black and white is said by \`csv.valueRange\` (now [${valueRange.join(", ")}])`
            : "every column but the label's is a pixel: mend the cell, or remove the row or column",
        );
      out[to++] = pixel;
    }
    return label;
  };
}

function findLabel(name: string, first: readonly string[], { label, header }: CsvSettings): number {
  const shown = first.slice(0, 6).join(", ");
  if (typeof label === "number") {
    if (label < first.length) return label;
    throw new DataError(`${name} has ${first.length} columns and no column ${label}; it begins with ${shown}`);
  }
  const column = first.indexOf(label);
  if (column !== -1) return column;
  if (header && first.every(isNumber))
    throw new DataError(
      `${name} has no header: its first line is ${shown}`,
      "set `csv.header: false`, and `csv.label` to the number of the label's column",
    );
  throw new DataError(`${name} has no column ${JSON.stringify(label)}; it begins with ${shown}`, "change `csv.label`");
}

/** Not what only JavaScript takes for one: an empty text, white space, 0x10. */
function isNumber(text: string): boolean {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text);
}

function explain(name: string, error: unknown): unknown {
  if (error instanceof DataError || !(error instanceof Error)) return error;
  const { code, lines } = error as CsvError & { readonly lines?: number };
  if (typeof code !== "string") return error;
  if (code.startsWith("CSV_"))
    return new DataError(
      `${name} is no table that can be read${lines === undefined ? "" : `, line ${lines}`}: ${error.message}`,
      'cells are separated by `csv.delimiter` and may be quoted with "',
    );
  if (code.startsWith("Z_")) return new DataError(`${name} is damaged: ${error.message}`, "get it again");
  return error;
}
