/**
 * What may happen to a project: plain data, drawn by fast-check and printed when a history goes wrong. Numbers pick among
 * what there is at that moment, so that a history stays one while it is made smaller.
 */
import type { PuppetType } from "./model-project.ts";

export type Edit =
  | { readonly does: "setText" | "setNote" | "toggleFailure"; readonly stage: number; readonly value: number }
  | { readonly does: "rewire"; readonly stage: number; readonly value: number }
  | { readonly does: "editCode"; readonly type: PuppetType; readonly part: "salt" | "comment"; readonly value: number }
  | { readonly does: "editInput" | "deleteInput" | "chmodInput"; readonly file: number; readonly value: number }
  | { readonly does: "spoilOutput"; readonly how: SpoiledOutput; readonly pick: number }
  | { readonly does: "spoilStore"; readonly how: SpoiledStore; readonly pick: number }
  | { readonly does: "moveClock"; readonly hours: number }
  | { readonly does: "collectGarbage"; readonly keepLast: number };

export const SPOILED_OUTPUTS = [
  "edit",
  "editWithSameLength",
  "delete",
  "changeMode",
  "becomeFolder",
  "deleteStage",
  "deleteAll",
  "outputBecomesFile",
] as const;
export type SpoiledOutput = (typeof SPOILED_OUTPUTS)[number];
export const SPOILED_OBJECTS = ["flipObject", "truncateObject", "deleteObject"] as const;
export type SpoiledObject = (typeof SPOILED_OBJECTS)[number];
export const SPOILED_STORE = [
  ...SPOILED_OBJECTS,
  "rotObject",
  "flipTrace",
  "deleteTrace",
  "deleteMemo",
  "truncateMemo",
  "deleteLast",
  "truncateLast",
] as const;
export type SpoiledStore = (typeof SPOILED_STORE)[number];

/** How a run is disturbed. `when` (0 to 1) says at which part of the work that is expected. */
export type Disturbance =
  | { readonly by: "kill" | "powerLoss"; readonly when: number; readonly torn: number }
  | { readonly by: "interrupt"; readonly when: number }
  /** Another process runs the same pipeline; `kill`: one of them is killed. */
  | { readonly by: "twin"; readonly kill: boolean; readonly when: number; readonly torn: number }
  /** A file is edited while stages run, and set back where `restore`. */
  | {
      readonly by: "inputEdit";
      readonly when: number;
      readonly file: number;
      readonly value: number;
      readonly restore: boolean;
    }
  /** The store is spoilt while stages run. */
  | { readonly by: "storeDamage"; readonly when: number; readonly how: SpoiledStore; readonly pick: number }
  /** What is about to be copied out of the store rots at that moment. */
  | { readonly by: "rot"; readonly when: number; readonly how: SpoiledObject; readonly pick: number };

export interface RunStep {
  readonly seed: number;
  /** Between edits and runs. What is younger than the margin of the stat memo is not believed by it. */
  readonly pauseMs: number;
  readonly jobs: number;
  readonly readLate: boolean;
  readonly disturbance?: Disturbance;
}

export interface Step {
  readonly edits: readonly Edit[];
  readonly run: RunStep;
  /** Between a run that was disturbed and the next one. */
  readonly between: readonly Edit[];
}

export function isObjectDamage(how: SpoiledStore): how is SpoiledObject {
  return (SPOILED_OBJECTS as readonly string[]).includes(how);
}
