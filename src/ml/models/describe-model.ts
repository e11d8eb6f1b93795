/** From an architecture spec to a model's layers, without an engine. */
import type { ModelDescription } from "../nn/model-description.ts";
import type { ArchitectureSpec } from "./architecture.ts";
import { architectureName, architectureProblems, isVgg, resnetPlan } from "./architecture.ts";
import { resnetLayers } from "./resnet.ts";
import { vggLayers } from "./vgg.ts";

/** The model that `spec` names. Throws an error that lists every problem where it cannot be built. */
export function describeModel(spec: ArchitectureSpec): ModelDescription {
  const problems = architectureProblems(spec);
  if (problems.length > 0)
    throw new Error(
      problems.map(({ message, help }) => (help === undefined ? message : `${message} (${help})`)).join("; "),
    );
  const plan = resnetPlan(spec);
  const layers =
    spec.architecture !== undefined && isVgg(spec.architecture)
      ? vggLayers(spec.architecture, spec)
      : resnetLayers(plan!, spec);
  return {
    architecture: architectureName(spec),
    layers,
    numClasses: spec.numClasses,
    imageChannels: spec.imageChannels ?? 3,
  };
}
