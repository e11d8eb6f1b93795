/** The HTML report of a run, beside the visible results. A report that cannot be written is a note, not a failure. */
import { join } from "node:path";
import { replaceFile } from "../cache/store-layout.ts";
import type { Workspace } from "../execute/workspace.ts";
import { canonicalJson } from "../json.ts";
import type { RunRecord } from "../record.ts";
import type { ReportArtifacts } from "../report/html/report-charts.ts";
import { runLabel } from "../report/render-summary.ts";
import type { App } from "./app.ts";

/** Ahead of its use. Where it cannot be loaded, `writeReport` says so. */
export function loadReport(): void {
  import("../report/html/render-report.ts").catch(() => undefined);
}

export async function writeReport(app: App, workspace: Workspace, folder: string, record: RunRecord): Promise<void> {
  const { files, layout, artifacts } = workspace;
  try {
    const { renderReport } = await import("../report/html/render-report.ts");
    const { readVegaRuntime } = await import("../report/html/vega-runtime.ts");
    const source: ReportArtifacts = {
      list: (digest) => artifacts.listing(digest)?.files.map(({ path }) => path) ?? [],
      open: (digest, path) => artifacts.read(digest, path),
    };
    const trials = await chartTrials(record);
    const html = renderReport(record, source, readVegaRuntime, trials?.chart);
    files.makeFolder(folder);
    replaceFile(files, layout, join(folder, "report.html"), html);
    for (const [name, text] of trials?.files ?? []) replaceFile(files, layout, join(folder, name), text);
  } catch (error) {
    app.err.write(`note: the report could not be written: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** The chart of a sweep's trials, and the files it is in beside the report, as those of the plot stage are. */
async function chartTrials({ sweep, pipeline, profiles }: RunRecord) {
  if (sweep === undefined) return undefined;
  const { drawSweepChart } = await import("../report/html/sweep-chart.ts");
  const chart = await drawSweepChart(sweep, runLabel({ pipeline, profiles }));
  if (chart === undefined) return undefined;
  const { name, source, svg } = chart;
  const texts: readonly (readonly [string, string])[] = [
    [`${name}.vl.json`, `${canonicalJson(source!.spec)}\n`],
    [`${name}.data.json`, `${canonicalJson(source!.data)}\n`],
    [`${name}.svg`, svg!],
  ];
  return { chart, files: texts };
}
