/**
 * The key manifest: everything that determines a stage's outputs, and nothing else. Its canonical JSON, hashed, is the
 * stage's fingerprint. Two runs are the same exactly when their manifests are; `why` is the difference of two manifests.
 */
import type { JsonObject } from "../json.ts";

export interface KeyManifest {
  /** Version of this format and of what `ctx` supplies that makes bits. */
  readonly schema: "tfpipe/key/1";
  readonly stageType: string;
  /** Digest of the tree-shaken bundle of the stage, its assets and, where it computes, its engine. */
  readonly code: string;
  /** Resolved packages the code imports, with versions. */
  readonly packages: Readonly<Record<string, string>>;
  /** After defaults; execution params left out. */
  readonly params: JsonObject;
  /** Artifact digest by port. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Kind by output. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Of a shell stage; `code` then stands for how commands are run. */
  readonly command?: CommandKey;
  /** Only where the stage computes on an engine. */
  readonly numerics?: NumericsKey;
}

export interface CommandKey {
  /** As written, references and all. */
  readonly text: string;
  readonly shell: readonly string[];
  /** Working folder, relative to the pipeline's folder. */
  readonly folder: string;
  /** What references to params, matrix and env stand for, by environment variable. */
  readonly values: Readonly<Record<string, string>>;
  /** The file name that the command sees, by input; empty where the input is a folder. */
  readonly places: Readonly<Record<string, string>>;
  /** As the user named it, by output. */
  readonly outputPaths: Readonly<Record<string, string>>;
  /** Digest of the program file, by listed tool. */
  readonly tools: Readonly<Record<string, string>>;
}

export interface NumericsKey {
  readonly engine: string;
  readonly version: string;
  readonly threads: number;
  readonly precision: string;
  readonly convolution: string;
  /** Of the native engine: whether TensorFlow was told to convolve by oneDNN, and to add up in one order. */
  readonly oneDnn?: string;
  readonly deterministicOps?: string;
}

/** Kept beside the manifest, outside the fingerprint, so that `why` can name the file that changed. */
export interface CodeListing {
  /** Digest by module path, relative to the project or package. */
  readonly modules: Readonly<Record<string, string>>;
}

/** One thing in which two manifests differ. `before` or `after` is absent where the thing was added or removed. */
export interface KeyDifference {
  readonly part:
    | "stageType"
    | "code"
    | "command"
    | "tool"
    | "package"
    | "param"
    | "input"
    | "output"
    | "env"
    | "numerics"
    | "schema";
  /**
   * Param path `optimizer.learningRate`, input port, module path, package or tool name, numerics member; of a command
   * `text`, `shell`, `folder`, the name of a variable, or what a file is called: `name of input table`.
   */
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}
