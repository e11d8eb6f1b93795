/**
 * The cpu engine: TypeScript alone, double precision inside. It is the reference that other engines and the reverse
 * pass are held to, so it prefers exact semantics to speed (a ResNet-18 step at 64 px takes seconds).
 *
 * Between steps the state must survive a checkpoint, whose numbers are float32. So `createEngine` keeps variables in
 * float32 and a resumed training has the bits of an uninterrupted one; `createReferenceEngine` keeps them in double.
 */
import type { CreateEngine } from "../engine.ts";
import { openPlainEngine, type PlainEngine } from "../plain/plain-engine.ts";
import type { Reals } from "../plain/storage.ts";
import { refuseUnsupportedSettings } from "../unsupported-setting.ts";
import { multiply } from "./product.ts";

/** Takes and gives doubles where the interface has float32. */
export type ReferenceEngine = PlainEngine;

/** Computes in double and keeps variables in float32. Ignores `threads` and `folder`. */
export const createEngine: CreateEngine = async (settings) => {
  refuseUnsupportedSettings("cpu", settings);
  return openCpuEngine((data) => Float32Array.from(data));
};

/** Computes in double, keeps variables in double and gives doubles, for tests that bound errors at 1e-9. */
export function createReferenceEngine(): ReferenceEngine {
  return openCpuEngine((data) => Float64Array.from(data));
}

function openCpuEngine(copyVariable: (data: Reals) => Reals): PlainEngine {
  return openPlainEngine({
    name: "cpu",
    version: "tfpipe cpu 1",
    copyTensor: (data) => Float64Array.from(data),
    copyVariable,
    multiply,
    close: () => {},
  });
}
