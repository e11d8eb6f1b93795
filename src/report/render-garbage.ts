/** What `pipe gc` frees, or would: a line per kind, and what remains. */
import { createPalette } from "./ansi.ts";
import { formatBytes } from "./format-bytes.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";

export interface GarbageSummary {
  readonly dryRun: boolean;
  /** Kinds of which there is something, in order. */
  readonly kinds: readonly { readonly kind: string; readonly count: number; readonly sizeBytes: number }[];
  readonly freedBytes: number;
  /** Of the store, before. */
  readonly storeBytes: number;
  /** What would go beside it if only the last run of each pipeline were kept. */
  readonly moreBytes: number;
  /** What the user allowed the store to be. */
  readonly maxSizeBytes?: number;
}

/** Lines without a final break. */
export function renderGarbage(summary: GarbageSummary, style: TextStyle): string {
  const palette = createPalette(style.color);
  const { kinds, dryRun, freedBytes, moreBytes, maxSizeBytes } = summary;
  const leftBytes = summary.storeBytes - freedBytes;
  const table = renderTable(
    {
      columns: [
        { title: dryRun ? "would free" : "freed" },
        { title: "count", align: "right" },
        { title: "size", align: "right" },
      ],
      rows: [
        ...kinds.map(({ kind, count, sizeBytes }) => [kind, String(count), formatBytes(sizeBytes)]),
        ["in all", String(kinds.reduce((sum, { count }) => sum + count, 0)), formatBytes(freedBytes)],
      ],
      paintTitle: palette.dim,
    },
    style.columns - 1,
  );
  return [
    ...(kinds.length === 0 ? ["nothing to free"] : table),
    "",
    `the store ${dryRun ? "would have" : "has"} ${formatBytes(leftBytes)}`,
    ...(maxSizeBytes !== undefined && leftBytes > maxSizeBytes
      ? [`more than ${formatBytes(maxSizeBytes)}: last runs and pinned ones need the rest`]
      : []),
    ...(moreBytes > 0 ? [`pipe gc --keep-last 1 would free ${formatBytes(moreBytes)} more`] : []),
  ].join("\n");
}
