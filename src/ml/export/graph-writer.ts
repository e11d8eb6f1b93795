/**
 * TensorFlow.js' GraphModel on disk: `model.json`, a TensorFlow GraphDef as JSON with a manifest of its constants, and
 * shards with their bytes (tfjs-core/src/io, tfjs-converter/src/data/compiled_api.ts). Chosen over a LayersModel because
 * layers ignore groups and cannot pad by pixels, and ops can do both: one form for every model.
 */
import { canonicalJson, type JsonObject, type JsonValue } from "../../json.ts";
import type { ExportedFile } from "./exported-file.ts";

/** As TensorFlow.js' own converter cuts them: browsers cache and fetch pieces of this size well. */
const SHARD_BYTES = 4 * 1024 * 1024;

/** Attributes of a node as plain values; `GraphWriter` puts them in protobuf's JSON. */
export type Attribute =
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly int: number }
  | { readonly bool: boolean }
  | { readonly type: DType };

type DType = "DT_FLOAT" | "DT_INT32";

/** Collects nodes in topological order. Every method gives the name by which others take the node as an input. */
export class GraphWriter {
  readonly #nodes: JsonObject[] = [];
  readonly #weights: { readonly name: string; readonly shape: readonly number[]; readonly data: Constant }[] = [];

  input(name: string, shape: readonly number[]): string {
    this.#nodes.push({ name, op: "Placeholder", attr: { dtype: { type: "DT_FLOAT" }, shape: shapeAttribute(shape) } });
    return name;
  }

  constant(name: string, data: Constant, shape: readonly number[]): string {
    const dtype = dtypeOf(data);
    this.#nodes.push({
      name,
      op: "Const",
      attr: { dtype: { type: dtype }, value: { tensor: { dtype, tensorShape: { dim: dimensions(shape) } } } },
    });
    this.#weights.push({ name, shape, data });
    return name;
  }

  /** A node of float32. */
  add(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const attr: Record<string, JsonValue> = { T: { type: "DT_FLOAT" } };
    for (const [key, value] of Object.entries(attributes)) attr[key] = attributeJson(value);
    this.#nodes.push({ name, op, input: [...inputs], attr });
    return name;
  }

  /** The files, `model.json` last: where it is, everything it names is. */
  *files({ input, inputShape, output, classes, generatedBy }: GraphSignature): Generator<ExportedFile> {
    const sizeBytes = this.#weights.reduce((sum, { data }) => sum + data.byteLength, 0);
    const shards = Math.max(1, Math.ceil(sizeBytes / SHARD_BYTES));
    const names = Array.from({ length: shards }, (_, index) => `group1-shard${index + 1}of${shards}.bin`);
    yield* this.#shards(names, sizeBytes);
    const tensor = (name: string, shape: readonly number[]) => ({
      name: `${name}:0`,
      dtype: "DT_FLOAT",
      tensorShape: { dim: dimensions(shape) },
    });
    const model: JsonObject = {
      format: "graph-model",
      generatedBy,
      convertedBy: null,
      signature: {
        inputs: { [input]: tensor(input, inputShape) },
        outputs: { [output]: tensor(output, [-1, classes]) },
      },
      modelTopology: { node: this.#nodes, library: {}, versions: { producer: 1 } },
      weightsManifest: [
        {
          paths: names,
          weights: this.#weights.map(({ name, shape, data }) => ({
            name,
            shape: [...shape],
            dtype: data instanceof Int32Array ? "int32" : "float32",
          })),
        },
      ],
    };
    yield { name: "model.json", content: `${canonicalJson(model)}\n` };
  }

  *#shards(names: readonly string[], sizeBytes: number): Generator<ExportedFile> {
    let shard = new Uint8Array(Math.min(SHARD_BYTES, sizeBytes));
    let filled = 0;
    let index = 0;
    let left = sizeBytes;
    for (const { data } of this.#weights) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; ) {
        const count = Math.min(bytes.length - done, shard.length - filled);
        shard.set(bytes.subarray(done, done + count), filled);
        done += count;
        filled += count;
        if (filled < shard.length) continue;
        yield { name: names[index++]!, content: shard };
        left -= filled;
        filled = 0;
        shard = new Uint8Array(Math.min(SHARD_BYTES, left));
      }
    }
  }
}

export type Constant = Float32Array | Int32Array;

export interface GraphSignature {
  readonly input: string;
  readonly inputShape: readonly number[];
  readonly output: string;
  readonly classes: number;
  readonly generatedBy: string;
}

function dtypeOf(data: Constant): DType {
  return data instanceof Int32Array ? "DT_INT32" : "DT_FLOAT";
}

/** Protobuf's JSON: 64-bit integers are text, bytes are base64. */
function attributeJson(attribute: Attribute): JsonValue {
  if ("string" in attribute) return { s: Buffer.from(attribute.string).toString("base64") };
  if ("ints" in attribute) return { list: { i: attribute.ints.map(String) } };
  if ("int" in attribute) return { i: String(attribute.int) };
  if ("bool" in attribute) return { b: attribute.bool };
  return { type: attribute.type };
}

function shapeAttribute(shape: readonly number[]): JsonObject {
  return { shape: { dim: dimensions(shape) } };
}

function dimensions(shape: readonly number[]): JsonObject[] {
  return shape.map((size) => ({ size: String(size) }));
}
