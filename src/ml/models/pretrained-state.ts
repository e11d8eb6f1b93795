/**
 * A model's starting weights out of a state dict that someone else made: torchvision's names, any float type, the last
 * layer kept or drawn anew. What does not fit is said in the user's terms: classes, channels, the architecture meant.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { initialState } from "../nn/initial-state.ts";
import type { LinearLayer } from "../nn/layer.ts";
import type { ModelDescription } from "../nn/model-description.ts";
import { asFloat32, compareState, describeMismatch, type StateMismatch } from "../nn/read-state.ts";
import { stateEntries } from "../nn/state-entry.ts";
import { type ArchitectureName, RESNETS, VGGS } from "./architecture.ts";
import { describeModel } from "./describe-model.ts";

/** The weights do not fit the model. */
export class PretrainedStateError extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "PretrainedStateError";
    this.help = help;
  }
}

export interface PretrainedState {
  readonly description: ModelDescription;
  readonly state: Readonly<Record<string, StoredTensor>>;
  /** Draw the last layer from `seed` instead of taking it from `state`: fine-tuning for other classes. */
  readonly newHead: boolean;
  readonly seed: number;
}

export interface LoadedState {
  /** Complete, float32, in torchvision's order. */
  readonly state: Readonly<Record<string, StoredTensor>>;
  /** What was drawn instead of taken; `found` is the shape that the weights have there, if any. */
  readonly drawn: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly found: readonly number[] | undefined;
  }[];
}

/** The model's state from someone else's. Throws `PretrainedStateError`. */
export function pretrainedState({ description, state, newHead, seed }: PretrainedState): LoadedState {
  const head = description.layers.at(-1) as LinearLayer;
  const drawn = newHead ? initialState({ ...description, layers: [head] }, seed) : {};
  const offered: Readonly<Record<string, StoredTensor>> = { ...state, ...drawn };
  const entries = stateEntries(description.layers);
  const mismatch = compareState(entries, Object.entries(offered));
  if (mismatch !== undefined) {
    const { missing, unexpected, misshapen, mistyped } = mismatch;
    const onlyMisshapen = missing.length + unexpected.length + mistyped.length === 0;
    const isHead = (name: string) => name === `${head.name}.weight` || name === `${head.name}.bias`;
    const isStem = (name: string) => name === entries[0]!.name;
    const { numClasses, imageChannels, architecture } = description;
    if (onlyMisshapen && misshapen.every(({ entry }) => isHead(entry.name)))
      throw new PretrainedStateError(
        `the weights are for ${misshapen[0]!.found[0]} classes (${shapesOf(misshapen)}), and numClasses is ${numClasses}`,
        `set \`numClasses: ${misshapen[0]!.found[0]}\`, or \`newHead: true\` to leave these out and draw the last layer anew`,
      );
    if (onlyMisshapen && misshapen.every(({ entry }) => isStem(entry.name)))
      throw new PretrainedStateError(
        `the weights are for images of ${misshapen[0]!.found[1]} channels, and imageChannels is ${imageChannels}`,
        `set \`imageChannels: ${misshapen[0]!.found[1]}\``,
      );
    const fitting = fittingArchitecture(offered);
    throw new PretrainedStateError(
      `the weights do not fit ${architecture}: ${describeMismatch(mismatch).join("; ")}`,
      fitting !== undefined
        ? `they are those of a ${fitting}: set \`architecture: ${fitting}\``
        : "names and shapes must be torchvision's; the output `layers` of build-model shows them",
    );
  }
  return {
    state: Object.fromEntries(
      entries.map((entry) => [entry.name, { dtype: "F32", shape: entry.shape, data: asFloat32(offered[entry.name]!) }]),
    ),
    drawn: Object.entries(drawn).map(([name, { shape }]) => ({ name, shape, found: state[name]?.shape })),
  };
}

function shapesOf(misshapen: StateMismatch["misshapen"]): string {
  return misshapen.map(({ entry, found }) => `${entry.name} is [${found.join(", ")}]`).join(", ");
}

/** The published architecture whose names and shapes these are, whatever the classes and channels. */
function fittingArchitecture(state: Readonly<Record<string, StoredTensor>>): ArchitectureName | undefined {
  const names = [...Object.keys(RESNETS), ...Object.keys(VGGS)] as ArchitectureName[];
  return names.find((architecture) => {
    const { layers } = describeModel({ architecture, numClasses: 1 });
    const outer = new Set([
      `${layers[0]!.name}.weight`,
      `${layers.at(-1)!.name}.weight`,
      `${layers.at(-1)!.name}.bias`,
    ]);
    const mismatch = compareState(stateEntries(layers), Object.entries(state));
    if (mismatch === undefined) return true;
    const { missing, unexpected, misshapen } = mismatch;
    return missing.length + unexpected.length === 0 && misshapen.every(({ entry }) => outer.has(entry.name));
  });
}
