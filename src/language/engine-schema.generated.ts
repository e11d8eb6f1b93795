/** Generated from schemas/pipeline.base.json. Do not edit: run `npm run generate`. */
import type { JsonObject } from "../json.ts";

export const ENGINE_SCHEMA: JsonObject = {
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "name": {
      "description": "Which engine: native is TensorFlow's own kernels, webgpu a GPU through Dawn, wasm runs everywhere, cpu is the plain reference, auto is native where it is installed and wasm elsewhere.",
      "type": "string",
      "enum": [
        "auto",
        "native",
        "webgpu",
        "wasm",
        "cpu"
      ],
      "default": "auto"
    },
    "threads": {
      "description": "Threads inside one operation. Results depend on this number in their last bits, so it is a setting of the pipeline and not the machine's number of cores.",
      "type": "integer",
      "minimum": 1,
      "maximum": 512,
      "default": 2
    },
    "precision": {
      "description": "The number format of weights and arithmetic.",
      "type": "string",
      "enum": [
        "float32"
      ],
      "default": "float32"
    }
  }
};
