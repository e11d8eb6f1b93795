/** How it is said that a result is no function of its key, or is built upon one that is none. */
import type { Nondeterminism } from "../record.ts";

interface Marked {
  readonly stage: string;
  readonly nondeterminism?: Nondeterminism;
}

/** `nondeterministic (it throws dice)`, `built on nondeterministic dice`; undefined where nothing is known of that kind. */
export function nondeterminismText({ stage, nondeterminism }: Marked): string | undefined {
  if (nondeterminism === undefined) return undefined;
  const { stages, waived } = nondeterminism;
  const others = stages.filter((name) => name !== stage);
  return [
    ...(others.length === stages.length
      ? []
      : [waived === undefined ? "nondeterministic" : `nondeterministic (${waived})`]),
    ...(others.length === 0 ? [] : [`built on nondeterministic ${others.join(", ")}`]),
  ].join(", ");
}

/** Behind what else there is to say. */
export function withNondeterminism(text: string, marked: Marked): string {
  return [text, nondeterminismText(marked) ?? ""].filter((part) => part !== "").join("; ");
}

/** Of a whole run, one line for each such stage: `dice gave two results of one key; last, plot are built on it`. */
export function nondeterminismLines(stages: readonly Marked[]): readonly string[] {
  const own = stages.filter(({ stage, nondeterminism }) => nondeterminism?.stages.includes(stage));
  return own.map(({ stage, nondeterminism }) => {
    const built = stages.filter((other) => other.stage !== stage && other.nondeterminism?.stages.includes(stage));
    const names = built.map((other) => other.stage);
    const shown = names.length > MOST_NAMED ? `${names.length} stages` : names.join(", ");
    const follow = names.length === 0 ? "" : `; ${shown} ${names.length === 1 ? "is" : "are"} built on it`;
    const waived = nondeterminism?.waived === undefined ? "" : ` (${nondeterminism.waived})`;
    return `${stage} is nondeterministic: one key gave two results${waived}${follow}`;
  });
}

const MOST_NAMED = 8;
