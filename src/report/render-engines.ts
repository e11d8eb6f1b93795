/** The engines of this machine: which can be used, where they come from, and what mends one that cannot. */
import { createPalette } from "./ansi.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { wrapText } from "./text-width.ts";

export interface EngineListing {
  readonly name: string;
  readonly available: boolean;
  readonly version?: string;
  /** Where its library came from. */
  readonly source?: string;
  /** What the self-test found: `passed in 0.4 s`. */
  readonly selfTest?: string;
  /** Why it cannot be used. */
  readonly problem?: string;
  readonly help?: string;
}

/** Lines without a final break. */
export function renderEngines(engines: readonly EngineListing[], style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const table = renderTable(
    {
      columns: [
        { title: "" },
        { title: "engine" },
        { title: "version" },
        { title: "self-test" },
        { title: "library", flexible: true },
      ],
      rows: engines.map(({ name, available, version, source, selfTest }) => [
        available ? palette.green("✓") : palette.red("✗"),
        name,
        version ?? "-",
        selfTest ?? "-",
        source ?? "-",
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
  const problems = engines.flatMap(({ name, problem, help }) => {
    if (problem === undefined) return [];
    const [first = "", ...rest] = wrapText(`${name}: ${problem}`, width - 2);
    return [
      "",
      `${palette.yellow("!")} ${first}`,
      ...rest.map((line) => `  ${line}`),
      ...(help === undefined ? [] : wrapText(`help: ${help}`, width - 2).map((line) => `  ${line}`)),
    ];
  });
  return [...table, ...problems].join("\n");
}
