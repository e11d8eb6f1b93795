/**
 * A chart as SVG, PDF and PNG, all measured and drawn with the bundled font; text stays text in SVG and PDF.
 *
 *     Vega-Lite --compile--> Vega --view--> SVG --+-- @font-face with a subset --> .svg
 *                                                 +-- svg-to-pdfkit -------------> .pdf
 *                                                 +-- resvg, twofold ------------> .png
 *
 * Same chart, same bytes: no dates, no random or running identifiers. Vega keeps two things in globals: `textMetrics`,
 * which every render sets for itself and puts back, and the counters behind `clip1`, `gradient_0`, which every render
 * resets. So renders must not overlap: await one before the next.
 */
import type { Item, Loader, LoggerInterface, Spec } from "vega";
import type { TopLevelSpec } from "vega-lite";
import type { JsonObject } from "../../json.ts";
import { canonicalJson } from "../../json.ts";
import type { Chart } from "./chart.ts";
import { dataFileName } from "./chart.ts";
import type { ChartFonts, FontWeight } from "./chart-fonts.ts";
import { convertSvgToPdf } from "./svg-to-pdf.ts";
import { convertSvgToPng } from "./svg-to-png.ts";

export type ChartFormat = "svg" | "pdf" | "png";

export interface RenderedChart {
  readonly files: Readonly<Partial<Record<ChartFormat, Uint8Array>>>;
  /** Characters that the font lacks; they show as boxes. */
  readonly missingCharacters: readonly string[];
}

/** Throws where the specification is not valid or warns, since a chart that warns is seldom the one that was meant. */
export async function renderChart(
  chart: Chart,
  formats: readonly ChartFormat[],
  fonts: ChartFonts,
): Promise<RenderedChart> {
  const svg = await renderSvg(chart, fonts);
  const texts = svgTexts(svg);
  const files: Partial<Record<ChartFormat, Uint8Array>> = {};
  for (const format of formats) {
    if (format === "svg") files.svg = new TextEncoder().encode(await embedFonts(svg, texts, fonts));
    if (format === "pdf") files.pdf = await convertSvgToPdf(svg, fonts.files, chartTitle(chart));
    if (format === "png") files.png = await convertSvgToPng(svg, fonts.files);
  }
  return { files, missingCharacters: fonts.missing(texts.map(({ text }) => text).join("")) };
}

async function renderSvg(chart: Chart, fonts: ChartFonts): Promise<string> {
  const vega = await import("vega");
  const complaints: string[] = [];
  const logger = collectingLogger(complaints);
  const spec =
    chart.grammar === "vega"
      ? (chart.spec as unknown as Spec)
      : (await import("vega-lite")).compile(chart.spec as unknown as TopLevelSpec, { logger }).spec;
  const { textMetrics } = vega as unknown as { textMetrics: { width: (item: Item, text: unknown) => number } };
  const width = textMetrics.width;
  textMetrics.width = (item, text) => measureItem(item, text, fonts);
  vega.resetSVGDefIds();
  const view = new vega.View(vega.parse(spec), { renderer: "none", loader: tableLoader(chart), logger });
  try {
    const svg = await view.toSVG();
    if (complaints.length > 0) throw new Error(`the chart ${chart.name} cannot be drawn: ${complaints.join("; ")}`);
    return svg;
  } finally {
    view.finalize();
    textMetrics.width = width;
  }
}

/** Vega's text item, or the bounds of one, to pixels. Truncation calls it too, so it must take parts of a text. */
function measureItem(item: Item, text: unknown, fonts: ChartFonts): number {
  const { fontSize, fontWeight } = item as { fontSize?: number; fontWeight?: number | string };
  const line = text == null ? "" : String(text).trim();
  return line === "" ? 0 : fonts.measure(line, fontSize ?? 11, weightOf(fontWeight));
}

function weightOf(weight: number | string | undefined): FontWeight {
  return weight === "bold" || weight === "bolder" || Number(weight) >= 600 ? 600 : 400;
}

/** Serves the chart's own tables and its data-URI images; asking for anything else is an error. */
function tableLoader(chart: Chart): Loader {
  const load = async (uri: string): Promise<string> => {
    if (uri !== dataFileName(chart.name))
      throw new Error(`the chart ${chart.name} asks for ${uri}, which is not its own`);
    return canonicalJson(chart.data);
  };
  const sanitize = async (uri: string) => {
    if (uri !== dataFileName(chart.name) && !uri.startsWith("data:image/"))
      throw new Error(`the chart ${chart.name} asks for ${uri}, which is not its own`);
    return { href: uri };
  };
  return { load, sanitize, http: load, file: load } as unknown as Loader;
}

/** Keeps what Vega warns of: it goes on after a warning, and throwing inside its dataflow would be lost. */
function collectingLogger(complaints: string[]): LoggerInterface {
  const complain = (...messages: unknown[]) => {
    complaints.push(messages.map(String).join(" "));
    return logger;
  };
  const logger = {
    level: () => logger,
    error: complain,
    warn: complain,
    info: () => logger,
    debug: () => logger,
  } as unknown as LoggerInterface;
  return logger;
}

interface SvgText {
  readonly text: string;
  readonly weight: FontWeight;
}

/** The text elements of an SVG that Vega wrote. */
function svgTexts(svg: string): readonly SvgText[] {
  return [...svg.matchAll(/<text([^>]*)>(.*?)<\/text>/gs)].map(([, attributes, content]) => ({
    text: unescapeXml(content!.replace(/<[^>]*>/g, "")),
    weight: weightOf(/font-weight="([^"]*)"/.exec(attributes!)?.[1]),
  }));
}

async function embedFonts(svg: string, texts: readonly SvgText[], fonts: ChartFonts): Promise<string> {
  const faces: string[] = [];
  for (const weight of [400, 600] as const) {
    const characters = [...new Set(texts.filter((t) => t.weight === weight).flatMap((t) => [...t.text]))].sort();
    if (characters.length === 0) continue;
    const font = Buffer.from(await fonts.subset(characters.join(""), weight)).toString("base64");
    faces.push(
      `@font-face{font-family:Inter;font-weight:${weight};src:url(data:font/woff2;base64,${font}) format("woff2")}`,
    );
  }
  return faces.length === 0 ? svg : svg.replace(/<svg[^>]*>/, (tag) => `${tag}<style>${faces.join("")}</style>`);
}

function unescapeXml(text: string): string {
  const characters: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos|#xA0|nbsp);/g, (_, name: string) => characters[name] ?? "\u00a0");
}

function chartTitle(chart: Chart): string {
  const title = chart.spec.title as JsonObject | string | undefined;
  const text = typeof title === "object" ? title.text : title;
  return typeof text === "string" ? text : chart.name;
}
