import { inflateSync } from "node:zlib";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { drawAccuracyChart } from "../../../src/ml/charts/accuracy-chart.ts";
import type { Chart } from "../../../src/ml/charts/chart.ts";
import { type ChartFonts, openChartFonts } from "../../../src/ml/charts/chart-fonts.ts";
import { drawConfusionChart } from "../../../src/ml/charts/confusion-chart.ts";
import { drawExamplesChart } from "../../../src/ml/charts/examples-chart.ts";
import { encodeTile } from "../../../src/ml/charts/image-tile.ts";
import { drawLossChart } from "../../../src/ml/charts/loss-chart.ts";
import { renderChart } from "../../../src/ml/charts/render-chart.ts";

const assets = new URL("../../../assets/fonts/", import.meta.url).pathname;
const all = ["svg", "pdf", "png"] as const;
let fonts: ChartFonts;
let charts: readonly Chart[];

beforeAll(async () => {
  fonts = await openChartFonts({ regular: `${assets}Inter-Regular.ttf`, semiBold: `${assets}Inter-SemiBold.ttf` });
  const image = await encodeTile(
    Uint8Array.from({ length: 48 }, (_, i) => i * 5),
    [4, 4, 3],
    64,
  );
  const grey = await encodeTile(
    Uint8Array.from({ length: 16 }, (_, i) => i * 15),
    [4, 4, 1],
    64,
  );
  charts = [
    drawLossChart(
      { batchSize: 8, iterationsPerEpoch: 10, loss: Array.from({ length: 40 }, (_, i) => 2 / (i + 1)) },
      { title: "Loss of the test", width: 300, height: 150 },
    ),
    drawAccuracyChart(
      {
        epochs: [1, 2, 3].map((epoch) => ({ epoch, validAccuracy: 0.2 * epoch, trainAccuracy: 0.25 * epoch })),
        bestEpoch: 3,
      },
      { title: "Accuracy of the test", width: 300, height: 150 },
    ),
    drawConfusionChart(
      {
        classNames: ["cat & <kitten>", "dog"],
        matrix: [
          [9, 1],
          [0, 0],
        ],
      },
      { title: "Confusion of the test", mode: "both", colormap: "viridis", frame: true, ticks: true, colorBar: true },
    ),
    drawExamplesChart(
      [image, grey].map((image, index) => ({
        index,
        image,
        predicted: "cat",
        actual: index === 0 ? "cat" : "dog",
        probability: 0.9,
      })),
      { title: "Examples of the test", gridColumns: 2, tileSize: 64, aspect: 1 },
    ),
  ];
});

const text = (bytes: Uint8Array | undefined) => new TextDecoder("latin1").decode(bytes);

/** The text of a PDF, by its fonts' own ToUnicode maps: what copying from a viewer gives. */
function pdfText(bytes: Uint8Array): string {
  const streams = [...text(bytes).matchAll(/stream\r?\n(.*?)\r?\nendstream/gs)].flatMap(([, body]) => {
    try {
      return [inflateSync(Buffer.from(body!, "latin1")).toString("latin1")];
    } catch {
      return [];
    }
  });
  // One map per weight. Which text is set in which is not followed: all of it is read by each, one reading a line.
  const maps = streams
    .filter((stream) => stream.includes("beginbfrange"))
    .map((stream) =>
      [...stream.matchAll(/\[(.*?)\]/gs)].flatMap(([, list]) =>
        [...list!.matchAll(/<([0-9a-f ]+)>/gi)].map(([, hex]) =>
          String.fromCodePoint(...hex!.split(" ").map((unit) => Number.parseInt(unit, 16))),
        ),
      ),
    );
  return streams
    .flatMap((stream) => [...stream.matchAll(/<([0-9a-f]{4,})>\s*[^\]]*?T[jJ]|<([0-9a-f]{4,})>/gi)])
    .map(([, a, b]) => (a ?? b)!)
    .map((hex) =>
      maps.map((map) => (hex.match(/.{4}/g) ?? []).map((id) => map[Number.parseInt(id, 16)] ?? "").join("")),
    )
    .reduce((lines, candidates) => maps.map((_, i) => (lines[i] ?? "") + (candidates[i] ?? "")), [] as string[])
    .join("\n");
}

describe("a rendered chart", () => {
  it("is the same bytes each time, in every format", async () => {
    for (const chart of charts) {
      const first = await renderChart(chart, all, fonts);
      const second = await renderChart(chart, all, fonts);
      for (const format of all) expect(Buffer.compare(first.files[format]!, second.files[format]!), format).toBe(0);
    }
  });

  it("keeps its text as text in SVG, set in the embedded font", async () => {
    for (const chart of charts) {
      const svg = text((await renderChart(chart, ["svg"], fonts)).files.svg);
      expect(svg).toMatch(/<text[^>]*font-family="Inter[^>]*>[^<]*of the test<\/text>/);
      expect(svg).toMatch(/@font-face\{font-family:Inter;font-weight:600;src:url\(data:font\/woff2;base64,/);
      expect(svg).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    }
  });

  it("keeps its text as text in PDF, without a date", async () => {
    for (const chart of charts) {
      const { pdf } = (await renderChart(chart, ["pdf"], fonts)).files;
      expect(pdfText(pdf!)).toContain((chart.spec.title as { text: string }).text);
      expect(text(pdf)).not.toMatch(/CreationDate|ModDate|CreateDate/);
      expect(text(pdf)).toContain("/FontFile2");
    }
  });

  it("is a PNG of twice the size that is not blank", async () => {
    for (const chart of charts) {
      const { png, svg } = (await renderChart(chart, ["png", "svg"], fonts)).files;
      const width = Number(/<svg[^>]*\swidth="([0-9.]+)"/.exec(text(svg))![1]);
      const image = sharp(png);
      expect((await image.metadata()).width).toBe(Math.round(2 * width));
      const { channels } = await image.stats();
      expect(Math.max(...channels.slice(0, 3).map((channel) => channel.stdev))).toBeGreaterThan(5);
    }
  });

  it("makes the text of dark cells light and of light cells dark", async () => {
    const svg = text((await renderChart(charts[2]!, ["svg"], fonts)).files.svg);
    // Viridis: the share 0.9 is bright yellow, the share 0.1 dark violet.
    expect(svg).toMatch(/<text[^>]*fill="#1f2733"[^>]*>90%<\/text>/);
    expect(svg).toMatch(/<text[^>]*fill="#ffffff"[^>]*>10%<\/text>/);
    expect(svg).not.toContain("NaN");
  });

  it("names the characters that its font lacks", async () => {
    const chart = drawLossChart(
      { batchSize: 8, iterationsPerEpoch: 1, loss: [1, 2] },
      { title: "損失", width: 200, height: 100 },
    );
    expect((await renderChart(chart, ["svg"], fonts)).missingCharacters).toEqual(["損", "失"]);
    expect((await renderChart(charts[0]!, ["svg"], fonts)).missingCharacters).toEqual([]);
  });

  it("refuses to read anything but its own data", async () => {
    const spec = { ...charts[0]!.spec, data: { url: "https://example.org/other.json" } };
    await expect(renderChart({ ...charts[0]!, spec }, ["svg"], fonts)).rejects.toThrow("which is not its own");
  });

  it("measures text with the font's own widths", () => {
    expect(fonts.measure("iiii", 10, 400)).toBeLessThan(fonts.measure("MMMM", 10, 400) / 2);
    expect(fonts.measure("ab", 20, 400)).toBeCloseTo(2 * fonts.measure("ab", 10, 400));
    expect(fonts.measure("Title", 10, 600)).toBeGreaterThan(fonts.measure("Title", 10, 400));
  });
});

describe("an encoded image", () => {
  it("is enlarged by whole pixels", async () => {
    const uri = await encodeTile(Uint8Array.of(0, 255), [1, 2, 1], 9);
    const image = sharp(Buffer.from(uri.split(",")[1]!, "base64"));
    const { data, info } = await image.toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([8, 4, 1]);
    expect([...data.subarray(0, 8)]).toEqual([0, 0, 0, 0, 255, 255, 255, 255]);
  });
});
