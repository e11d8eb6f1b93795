/** An SVG as a one-page PDF of its size, text as text in the embedded font. No date, no random identifier. */
import type { ChartFontFiles } from "./chart-fonts.ts";

/** `svg` needs a width and a height in pixels; one pixel becomes one point. Throws on what cannot be converted. */
export async function convertSvgToPdf(svg: string, fonts: ChartFontFiles, title: string): Promise<Uint8Array> {
  const { default: PDFDocument } = await import("pdfkit");
  const { default: svgToPdf } = await import("svg-to-pdfkit");
  const [width, height] = svgSize(svg);
  const document = new PDFDocument({
    size: [width, height],
    margin: 0,
    // The file's identifier is made from these; a fixed date makes it a function of the title.
    info: { Title: title, Creator: "tfpipe", CreationDate: new Date(0) },
  });
  delete document.info.CreationDate;
  // The XMP stream would repeat the date, and the title without escaping it; the info dictionary says it all.
  Object.assign(document, { endMetadata: () => undefined });
  const chunks: Uint8Array[] = [];
  document.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => {
    document.on("end", resolve);
    document.on("error", reject);
  });
  document.registerFont("regular", fonts.regular);
  document.registerFont("semiBold", fonts.semiBold);
  svgToPdf(document, svg, 0, 0, {
    width,
    height,
    assumePt: true,
    fontCallback: (_family, bold) => (bold ? "semiBold" : "regular"),
    warningCallback: (warning) => {
      throw new Error(`the chart cannot be written as PDF: ${warning}`);
    },
  });
  document.end();
  await ended;
  return new Uint8Array(Buffer.concat(chunks));
}

function svgSize(svg: string): readonly [number, number] {
  const tag = /<svg[^>]*>/.exec(svg)?.[0] ?? "";
  const size = (name: string) => Number(new RegExp(`\\s${name}="([0-9.]+)"`).exec(tag)?.[1]);
  const [width, height] = [size("width"), size("height")];
  if (!(width > 0 && height > 0)) throw new Error("an SVG without a width and a height has no page size");
  return [width, height];
}
