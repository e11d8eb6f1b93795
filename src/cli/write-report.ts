/** The HTML report of a run, beside the visible results. A report that cannot be written is a note, not a failure. */
import { join } from "node:path";
import { replaceFile } from "../cache/store-layout.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { RunRecord } from "../record.ts";
import type { App } from "./app.ts";

/** Ahead of its use. Where it cannot be loaded, `writeReport` says so. */
export function loadReport(): void {
  import("../report/html/render-report.ts").catch(() => undefined);
}

export async function writeReport(app: App, workspace: Workspace, folder: string, record: RunRecord): Promise<void> {
  const { files, layout, artifacts } = workspace;
  try {
    const { renderReport } = await import("../report/html/render-report.ts");
    const html = await renderReport(record, {
      list: (digest) => artifacts.listing(digest)?.files.map(({ path }) => path) ?? [],
      open: (digest, path) => artifacts.read(digest, path),
    });
    files.makeFolder(folder);
    replaceFile(files, layout, join(folder, "report.html"), html);
  } catch (error) {
    app.err.write(`note: the report could not be written: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
