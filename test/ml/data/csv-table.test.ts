import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { type CsvSettings, openCsv } from "../../../src/ml/data/csv-table.ts";
import { temporaryFolder } from "../../bundle-worker.ts";
import { collectSplit, memoryTree } from "./memory-tree.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
let runs = 0;

const header = "label,1x1,1x2";
async function read(
  train: string | Uint8Array,
  settings: Partial<CsvSettings> = {},
  name = "mnist_train.csv",
  test = settings.header === false ? "1,7,8\n" : `${header}\n1,7,8\n`,
) {
  const own = join(folder.path, String(++runs));
  const folders = { train: join(own, "train"), test: join(own, "test") };
  for (const path of Object.values(folders)) mkdirSync(path, { recursive: true });
  const progress: number[] = [];
  try {
    const tables = await openCsv({
      // 7 bytes a piece: every cell is cut somewhere.
      tree: memoryTree({ [name]: Buffer.from(train as string), "mnist_test.csv": Buffer.from(test) }, 7),
      settings: {
        height: 1,
        width: 2,
        channels: 1,
        label: "label",
        header: true,
        delimiter: ",",
        valueRange: [0, 255],
        ...settings,
      },
      folders,
      signal: new AbortController().signal,
      onProgress: (_phase, done, total) => progress.push(done / total),
    });
    try {
      const { train: rows, test: testRows, classNames } = tables;
      expect(testRows).toMatchObject({ count: 1, height: 1 });
      expect(progress.at(-1)).toBe(1);
      return { ...(await collectSplit(rows)), test: await collectSplit(testRows), classNames, layout: rows };
    } finally {
      tables.close();
    }
  } finally {
    // Nothing of what was kept on the disk meanwhile becomes a part of the artifact.
    expect(readdirSync(own, { recursive: true }).sort()).toEqual(["test", "train"]);
  }
}

describe("a table of images", () => {
  it("has a label and the pixels in a row", async () => {
    const { images, labels, test, classNames, layout } = await read(`${header}\n2,0,255\n0,3,4\n`);
    expect(test).toEqual({ images: Uint8Array.of(7, 8), labels: [1] });
    expect([...images]).toEqual([0, 255, 3, 4]);
    expect(labels).toEqual([2, 0]);
    expect(classNames).toEqual(["0", "1", "2"]);
    expect(layout).toMatchObject({ count: 2, height: 1, width: 2, channels: 1 });
  });

  it.each([
    ["with a mark of its encoding", `\ufeff${header}\n2,0,255`, {}],
    ["with Windows' line ends and empty lines", `${header}\r\n\r\n2,0,255\r\n\r\n`, {}],
    ["quoted", '"label","1x1","1x2"\n"2","0","255"\n', {}],
    ["packed", gzipSync(`${header}\n2,0,255\n`), {}],
    ["without a header", "2,0,255\n", { header: false, label: 0 }],
  ])("is read %s", async (what, text, settings) => {
    const name = what === "packed" ? "train.csv.gz" : "train.csv";
    expect(await read(text, settings, name)).toMatchObject({ labels: [2], images: Uint8Array.of(0, 255) });
  });

  it("is read whatever separates, and wherever the label stands", async () => {
    const own = join(folder.path, "semicolon");
    const folders = { train: join(own, "a"), test: join(own, "b") };
    for (const path of Object.values(folders)) mkdirSync(path, { recursive: true });
    const text = Buffer.from("p0;p1;p2;class;p3;p4;p5\n1;2;3;dog;4;5;6\n7;8;9;cat;10;11;12");
    const tables = await openCsv({
      tree: memoryTree({ "train.csv": text, "test.csv": text }),
      settings: {
        height: 2,
        width: 1,
        channels: 3,
        label: "class",
        header: true,
        delimiter: ";",
        valueRange: [0, 255],
        classNames: ["cat", "dog"],
      },
      folders,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    expect(await collectSplit(tables.train)).toEqual({
      images: Uint8Array.from({ length: 12 }, (_, i) => i + 1),
      labels: [1, 0],
    });
    expect(tables.classNames).toEqual(["cat", "dog"]);
    tables.close();
  });

  it("has values of another range where it says so", async () => {
    const name = "mnist_train.csv";
    const unit = `${header}\n1,0.5,1e0\n`;
    const { images, test } = await read(unit, { valueRange: [0, 1] }, name, unit);
    expect([...images]).toEqual([128, 255]);
    expect(test).toEqual({ images, labels: [1] });
    const { images: inverted } = await read(
      `${header}\n1,-10,5\n`,
      { valueRange: [10, -10] },
      name,
      `${header}\n1,0,0`,
    );
    expect([...inverted]).toEqual([255, 64]);
    await expect(read(unit, { valueRange: [0, 1] })).rejects.toThrow(
      'mnist_test.csv in data, line 2, column 1 (1x1): the pixel is "7": it is outside 0 to 1',
    );
  });

  it("of more rows than a piece holds is complete", async () => {
    const rows = Array.from({ length: 50 }, (_, i) => `${i % 3},${i},${2 * i}`);
    const { images, labels } = await read(`${header}\n${rows.join("\n")}`);
    expect(labels).toEqual(rows.map((_, i) => i % 3));
    expect([...images.subarray(96)]).toEqual([48, 96, 49, 98]);
  });

  it.each([
    ["a pixel above 255", `${header}\n1,2,256`, 'line 2, column 2 (1x2): the pixel is "256": it is outside 0 to 255'],
    [
      "a pixel that is no number",
      `${header}\n1,2,3\n1,x,3`,
      'line 3, column 1 (1x1): the pixel is "x": it is not a number',
    ],
    ["an empty pixel", `${header}\n1,,3`, 'line 2, column 1 (1x1): the pixel is "": it is not a number'],
    ["a fraction of a step", `${header}\n1,0.5,3`, 'the pixel is "0.5": it is no whole number'],
    ["too few columns in a row", `${header}\n1,2,3\n1,2`, "line 3, has 2 columns, and line 1 has 3"],
    ["too many columns", "label,a,b,c\n1,2,3,4", "has 4 columns in line 1, but a label and 1 x 2 x 1 pixels take 3"],
    ["no such label", "klass,a,b\n1,2,3", 'has no column "label"; it begins with klass, a, b'],
    ["no header", "1,2,3\n1,2,3", "has no header: its first line is 1, 2, 3"],
    [
      "a label that is a name",
      `${header}\ncat,2,3`,
      'line 2, column 0 (label): the label is "cat", not a whole number',
    ],
    ["a label below 0", `${header}\n-1,2,3`, 'the label is "-1", not a whole number from 0 on'],
    ["no rows", header, "has no rows of images"],
    ["nothing", "", "has no rows of images"],
    ["a quote that stays open", `${header}\n1,"2,3\n`, "is no table that can be read"],
    ["a stray quote", `${header}\n1,"2"x,3\n`, "is no table that can be read"],
  ])("with %s is refused, by file, line and column", async (_what, text, problem) => {
    await expect(read(text)).rejects.toThrow(problem);
    await expect(read(text)).rejects.toThrow(/^mnist_train\.csv in data/);
  });

  it("is refused with what to do about it", async () => {
    await expect(read(`${header}\n1,2,256`)).rejects.toMatchObject({ help: expect.stringContaining("csv.valueRange") });
    await expect(read(`${header}\n1,2,`)).rejects.toMatchObject({ help: expect.stringContaining("mend the cell") });
    await expect(read(`${header}\ncat,2,3`)).rejects.toMatchObject({ help: expect.stringContaining("classNames") });
    await expect(read("1,2,3\n1,2,3")).rejects.toMatchObject({ help: expect.stringContaining("csv.header: false") });
  });

  it("whose quote never closes does not fill the memory", async () => {
    const text = `${header}\n1,"${"2,3\n".repeat(20_000)}`;
    await expect(read(text)).rejects.toThrow(/is no table that can be read.*Max Record Size/);
  });

  it("that is cut off in its packing is refused", async () => {
    const random = Array.from({ length: 300 }, (_, i) => `1,${(i * 37) % 256},${(i * 91) % 256}`).join("\n");
    const packed = gzipSync(`${header}\n${random}`);
    await expect(read(packed.subarray(0, 200), {}, "train.csv.gz")).rejects.toThrow(
      "train.csv.gz in data is damaged: unexpected end of file",
    );
  });

  it("without a header knows no names, and no column that is not there", async () => {
    await expect(read("1,2,3", { header: false, label: 3 })).rejects.toThrow("has 3 columns and no column 3");
    await expect(read("1,2,3", { header: false, label: 1 })).resolves.toMatchObject({
      labels: [2],
      images: Uint8Array.of(1, 3),
    });
  });

  it("needs both files, under names that say which is which", async () => {
    await expect(read(header, {}, "images.csv")).rejects.toThrow("data has no train.csv; it holds images.csv, ");
  });
});
