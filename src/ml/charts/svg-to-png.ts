/** An SVG as a PNG of twice its size in pixels, drawn with the bundled font and no other. */
import type { ChartFontFiles } from "./chart-fonts.ts";

export async function convertSvgToPng(svg: string, fonts: ChartFontFiles): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const image = new Resvg(svg, {
    background: "#ffffff",
    fitTo: { mode: "zoom", value: 2 },
    font: {
      loadSystemFonts: false,
      fontFiles: [fonts.regular, fonts.semiBold],
      defaultFontFamily: "Inter",
      sansSerifFamily: "Inter",
    },
  });
  return new Uint8Array(image.render().asPng());
}
