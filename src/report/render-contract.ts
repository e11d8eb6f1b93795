/** How well an engine keeps its contract, op by op: cases, the worst error and what it was held to. */
import { createPalette } from "./ansi.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { wrapText } from "./text-width.ts";

export interface ContractTable {
  readonly rows: readonly {
    readonly op: string;
    readonly cases: number;
    /** Relative to the largest value expected; absent where bits are compared. */
    readonly worstError?: number;
    readonly tolerance?: number;
    readonly ok: boolean;
  }[];
  readonly problems: readonly string[];
  readonly cases: number;
}

/** Lines without a final break. */
export function renderContract(title: string, contract: ContractTable, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const table = renderTable(
    {
      columns: [
        { title: "" },
        { title: "op" },
        { title: "cases", align: "right" },
        { title: "worst error", align: "right" },
        { title: "tolerance", align: "right" },
      ],
      rows: contract.rows.map(({ op, cases, worstError, tolerance, ok }) => [
        ok ? palette.green("✓") : palette.red("✗"),
        op,
        String(cases),
        worstError === undefined ? "bits" : number(worstError),
        tolerance === undefined ? "-" : number(tolerance),
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
  const failed = contract.problems.length;
  const summary =
    failed === 0 ? `all ${contract.cases} cases hold` : `${failed} of ${contract.cases} cases do not hold`;
  const problems = contract.problems.flatMap((problem) => {
    const [first = "", ...rest] = wrapText(problem, width - 2);
    return [`${palette.red("✗")} ${first}`, ...rest.map((line) => `  ${line}`)];
  });
  return [palette.bold(title), ...table, "", ...problems, summary].join("\n");
}

function number(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}
