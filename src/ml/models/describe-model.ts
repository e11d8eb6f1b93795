/** From an architecture spec to a model's layers, without an engine. */
import type { Layer } from "../nn/layer.ts";
import type { ModelDescription } from "../nn/model-description.ts";
import type { ArchitectureSpec } from "./architecture.ts";
import { architectureName, architectureProblems, isVgg, resnetPlan } from "./architecture.ts";
import { resnetLayers } from "./resnet.ts";
import { resnet9Layers } from "./resnet9.ts";
import { vggLayers } from "./vgg.ts";

/** The model that `spec` names. Throws an error that lists every problem where it cannot be built. */
export function describeModel(spec: ArchitectureSpec): ModelDescription {
  const problems = architectureProblems(spec);
  if (problems.length > 0)
    throw new Error(
      problems.map(({ message, help }) => (help === undefined ? message : `${message} (${help})`)).join("; "),
    );
  return {
    architecture: architectureName(spec),
    layers: layersOf(spec),
    numClasses: spec.numClasses,
    imageChannels: spec.imageChannels ?? 3,
  };
}

function layersOf(spec: ArchitectureSpec): Layer[] {
  const { architecture } = spec;
  if (architecture === "resnet9") return resnet9Layers(spec);
  if (architecture !== undefined && isVgg(architecture)) return vggLayers(architecture, spec);
  return resnetLayers(resnetPlan(spec)!, spec);
}
