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
      "description": "The number format of the arithmetic. bfloat16 is mixed precision, as torch.autocast does it: convolutions and dense layers multiply in bfloat16, what lies between them is held in bfloat16 while batch norms compute in float32, and the weights, their statistics, the losses and the updates stay float32. Only the native engine has it.",
      "type": "string",
      "enum": [
        "float32",
        "bfloat16"
      ],
      "default": "float32"
    },
    "convolution": {
      "description": "How 3x3 convolutions are computed: auto takes the quickest way for each shape, direct multiplies every pixel by every weight, and winograd saves multiplications by a transform whose rounding is bounded in the contract suite. Only the native engine has winograd, and only in float32.",
      "type": "string",
      "enum": [
        "auto",
        "direct",
        "winograd"
      ],
      "default": "auto"
    }
  }
};
