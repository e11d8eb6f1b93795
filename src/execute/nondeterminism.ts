/**
 * Which stages are built upon a result that is no function of its key: those whose own fingerprint is in the ledger, and
 * all that read what those gave, link by link. With an empty ledger nothing is asked.
 */
import type { Ledger } from "../cache/ledger.ts";
import { producersOf } from "../graph/stage-graph.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { Nondeterminism } from "../record.ts";

type Marker = (stage: string, fingerprint: string | undefined) => Nondeterminism | undefined;

/** To be asked about stages in an order in which each comes after those that it reads. */
export function createNondeterminismMarker(
  ledger: Pick<Ledger, "isEmpty" | "find">,
  { stages }: Pick<Pipeline, "stages">,
): Marker {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const marked = new Map<string, Nondeterminism>();
  return (name, fingerprint) => {
    if (ledger.isEmpty()) return undefined;
    const { inputs, execution } = byName.get(name)!;
    const own = fingerprint !== undefined && ledger.find(fingerprint).length > 0;
    const read = Object.values(inputs)
      .flatMap(producersOf)
      .flatMap(({ stage }) => marked.get(stage)?.stages ?? []);
    const from = [...new Set([...read, ...(own ? [name] : [])])];
    if (from.length === 0) return undefined;
    const { nondeterministic } = execution;
    const mark = { stages: from, ...(own && nondeterministic !== undefined ? { waived: nondeterministic } : {}) };
    marked.set(name, mark);
    return mark;
  };
}

/** The same stages, or records of them, with their marks. */
export function markNondeterminism<T extends { readonly stage: string; readonly fingerprint?: string }>(
  ledger: Pick<Ledger, "isEmpty" | "find">,
  pipeline: Pick<Pipeline, "stages">,
  stages: readonly T[],
): readonly (T & { readonly nondeterminism?: Nondeterminism })[] {
  if (ledger.isEmpty()) return stages;
  const mark = createNondeterminismMarker(ledger, pipeline);
  return stages.map((stage) => {
    const nondeterminism = mark(stage.stage, stage.fingerprint);
    return nondeterminism === undefined ? stage : { ...stage, nondeterminism };
  });
}
