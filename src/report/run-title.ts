/** Runs and moments in words, the same in every view. */

/** `20260102T101112-ab12cd` -> `ab12cd`: enough to name the run with. Ids of another form stay whole. */
export function shortRunId(id: string): string {
  return /^\d{8}T\d{6}-(\w+)$/.exec(id)?.[1] ?? id;
}

/** `2026-01-02 10:11`, in UTC. */
export function formatMoment(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

/** `tiny`, `tiny@quick`. */
export function pipelineTitle({
  pipeline,
  profiles,
}: {
  readonly pipeline: string;
  readonly profiles: readonly string[];
}): string {
  return [pipeline, ...profiles].join("@");
}

/** `baseline (ab12cd, 2026-01-02 10:11)`, or `ab12cd (2026-01-02 10:11)`. */
export function runTitle(run: { readonly id: string; readonly name?: string; readonly startedAt?: string }): string {
  const id = shortRunId(run.id);
  const facts = [
    ...(run.name === undefined ? [] : [id]),
    ...(run.startedAt === undefined ? [] : [formatMoment(run.startedAt)]),
  ];
  return `${run.name ?? id}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`;
}
