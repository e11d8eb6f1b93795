import { createEngine, createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import { describeEngine } from "./engine-contract.ts";

describeEngine("cpu", () => createEngine({ threads: 1, precision: "float32", folder: "" }));

// Both sides compute in double; what is left is the order of sums (1e-16 of up to a few thousand terms).
describeEngine("reference (cpu in double)", async () => createReferenceEngine(), {
  tolerance: 1e-12,
  keepsFloat32: false,
  read: (engine, handle) => engine.downloadFloat64(handle),
});
