/** Generated from schemas/pipeline.base.json. Do not edit: run `npm run generate`. */
import type { JsonObject } from "../json.ts";

export const EXECUTION_SCHEMA: JsonObject = {
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "resources": {
      "description": "What the stage takes of the machine while it runs, so that others wait. Not limits.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "cpus": {
          "description": "Cores.",
          "type": "integer",
          "minimum": 1,
          "maximum": 4096
        },
        "memory": {
          "description": "Memory, such as 4 GB or 512 MiB.",
          "title": "a size such as \"4 GB\"",
          "type": "string",
          "pattern": "^\\s*\\d+(\\.\\d+)?\\s*([kKMGT]i?)?B\\s*$"
        },
        "gpus": {
          "description": "GPUs.",
          "type": "integer",
          "minimum": 0,
          "maximum": 1024
        }
      },
      "examples": [
        {
          "cpus": 2,
          "memory": "4 GB",
          "gpus": 1
        }
      ]
    },
    "timeout": {
      "description": "How long the stage may run before it is ended as failed, such as 30 min or 1 h 30 min.",
      "title": "a time such as \"30 min\"",
      "type": "string",
      "pattern": "^\\s*(\\d+(\\.\\d+)?\\s*(ms|s|min|h|d)\\s*)+$",
      "examples": [
        "30 min",
        "1 h 30 min",
        "90 s"
      ]
    },
    "retries": {
      "description": "How many times more the stage is tried after it failed.",
      "type": "integer",
      "minimum": 0,
      "maximum": 100,
      "default": 0
    },
    "cache": {
      "description": "With false the stage runs each time.",
      "type": "boolean",
      "default": true
    },
    "frozen": {
      "description": "With true what the stage produced last is kept, whatever changed.",
      "type": "boolean",
      "default": false
    },
    "nondeterministic": {
      "description": "Why the stage may give another result of the same inputs. pipe check and pipe verify then let it pass.",
      "title": "a reason, in words",
      "type": "string",
      "pattern": "\\w{3}",
      "examples": [
        "asks a service whose answers change"
      ]
    }
  }
};
