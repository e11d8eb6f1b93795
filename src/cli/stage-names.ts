/** Stages by what a user calls them: a stage's name, or that of a matrix (`train`, `train@*`) for all its instances. */
import { closestName } from "../diagnostics/suggest.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { UsageError } from "./app.ts";

export function findStages({ name, stages }: Pipeline, word: string): readonly string[] {
  if (stages.some((stage) => stage.name === word)) return [word];
  const matrix = word.replace(/@\*$/, "");
  const instances = stages.filter(({ instance }) => instance?.of === matrix).map((stage) => stage.name);
  if (instances.length > 0) return instances;
  const names = stages.map((stage) => stage.name);
  const close = closestName(word, names);
  throw new UsageError(
    `pipeline ${name} has no stage "${word}"`,
    close === undefined
      ? `its stages are ${names.join(", ")}`
      : `did you mean "${close}"? its stages are ${names.join(", ")}`,
  );
}
