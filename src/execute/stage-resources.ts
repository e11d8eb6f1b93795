/** Which tokens a stage takes while it runs, and what is to be said where it asks for more than there is. */
import type { PipelineStage } from "../language/pipeline.ts";
import type { Resources } from "./token-pool.ts";

export interface StageResources {
  readonly tokens: Resources;
  /** One sentence for each resource of which there is less. */
  readonly warnings: readonly string[];
}

/** A stage that computes on an engine takes all processors where it says nothing: two at once would only share them. */
export function stageResources(
  { name, execution, engine }: Pick<PipelineStage, "name" | "execution" | "engine">,
  capacity: Resources,
): StageResources {
  const { cpus, memoryBytes = 0, gpus = 0 } = execution;
  const warnings: string[] = [];
  const warn = (asked: string, there: string) =>
    warnings.push(`${name} asks for ${asked}, and there ${there}: it runs when it can have all of it`);
  if (cpus !== undefined && cpus > capacity.cpus) warn(countOf(cpus, "cpu"), isOrAre(capacity.cpus));
  if (memoryBytes > capacity.memoryBytes)
    warn(`${gibibytes(memoryBytes)} of memory`, `is ${gibibytes(capacity.memoryBytes)}`);
  if (gpus > capacity.gpus) warn(countOf(gpus, "gpu"), isOrAre(capacity.gpus));
  return {
    tokens: { cpus: cpus ?? (engine === undefined ? 1 : capacity.cpus), memoryBytes, gpus },
    warnings,
  };
}

/** The largest part of a resource that a stage takes, up to 1. */
export function shareOf(tokens: Resources, capacity: Resources): number {
  const part = (taken: number, all: number): number => (taken === 0 ? 0 : Math.min(1, taken / Math.max(all, taken)));
  return Math.max(
    part(tokens.cpus, capacity.cpus),
    part(tokens.memoryBytes, capacity.memoryBytes),
    part(tokens.gpus, capacity.gpus),
  );
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function isOrAre(count: number): string {
  return count === 1 ? "is 1" : `are ${count}`;
}

function gibibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;
}
