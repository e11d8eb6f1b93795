/** Runs stages in this process, on artifacts in a temporary folder and the wasm engine, with params filled by the schema. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv } from "ajv";
import type { Artifact, Facts, Progress, StageContext, StageDefinition } from "../../src/contract.ts";
import { paramsForCheckpoints } from "../../src/identity/param-roles.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "../../src/json.ts";
import { fitSchema } from "../../src/language/fit-schema.ts";
import { resolveEngine } from "../../src/ml/engine/catalogue.ts";
import { createEngine } from "../../src/ml/engine/wasm/wasm-engine.ts";
import { createRng } from "../../src/rng.ts";

export interface StageRun {
  readonly outputs: Readonly<Record<string, Artifact>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly measurements: Readonly<Record<string, number>>;
  readonly lines: readonly string[];
  readonly progress: readonly Progress[];
  /** Engine tensors that the stage left behind. */
  readonly liveTensors: number;
}

export interface StageWorkbench {
  readonly root: string;
  artifact(kind: string, write: (folder: string) => void, references?: Readonly<Record<string, Artifact>>): Artifact;
  params<Params>(definition: StageDefinition<Params, never>, given: object): Params;
  check<Params>(
    definition: StageDefinition<Params, never>,
    given: object,
    facts: Readonly<Record<string, Facts>>,
  ): { path: string; message: string }[];
  /** `stopAfter`: aborts after so many progress events. Checkpoints are shared by the runs of one workbench. */
  run<Params>(
    definition: StageDefinition<Params, never>,
    given: object,
    inputs: Readonly<Record<string, Artifact>>,
    options?: { readonly stopAfter?: number; readonly threads?: number; readonly loader?: string },
  ): Promise<StageRun>;
  remove(): void;
}

export function stageWorkbench(): StageWorkbench {
  const root = mkdtempSync(join(tmpdir(), "tfpipe-stages-"));
  const checkpoints = new Map<string, Artifact>();
  const newFolder = (name: string) => mkdtempSync(join(root, `${name}-`));
  const schemaOf = (type: string): JsonObject =>
    JSON.parse(readFileSync(join(import.meta.dirname, `../../schemas/${type}.schema.json`), "utf8"));
  const ajv = new Ajv({ strict: false, allErrors: true });

  const open = (kind: string, folder: string, references: Readonly<Record<string, Artifact>> = {}): Artifact => {
    const names = readdirSync(folder).sort();
    const files = names.map((path) => {
      const bytes = readFileSync(join(folder, path));
      return { path, sizeBytes: bytes.length, digest: createHash("sha256").update(bytes).digest("hex") };
    });
    const digest = createHash("sha256").update(JSON.stringify(files)).digest("hex");
    return { kind, digest, files, path: (file = "") => join(folder, file), references };
  };

  const fill = <Params>(definition: StageDefinition<Params, never>, given: object): Params => {
    const schema = schemaOf(definition.type);
    const { value } = fitSchema(schema, given as JsonObject);
    if (!ajv.validate(schema, value)) throw new Error(ajv.errorsText());
    return value as Params;
  };

  return {
    root,
    artifact(kind, write, references) {
      const folder = newFolder(kind);
      write(folder);
      return open(kind, folder, references);
    },
    params: fill,
    check: (definition, given, facts) =>
      (definition.check?.({ params: fill(definition, given), inputs: facts }) ?? []).map(({ path, message }) => ({
        path: path.join("."),
        message,
      })),
    async run(definition, given, inputs, options = {}) {
      const params = fill(definition, given);
      const base = canonicalJson(paramsForCheckpoints(params as JsonObject, schemaOf(definition.type)));
      const keyed = (key: JsonValue) => base + canonicalJson(key);
      const abort = new AbortController();
      const engine = await createEngine({ threads: 1, precision: "float32", folder: wasmFolder() });
      const ports =
        typeof definition.outputs === "function" ? definition.outputs(params, Object.keys(inputs)) : definition.outputs;
      const folders = Object.fromEntries(Object.keys(ports).map((name) => [name, newFolder(name)]));
      const metrics: Record<string, number> = {};
      const measurements: Record<string, number> = {};
      const lines: string[] = [];
      const progress: Progress[] = [];
      const context: StageContext<JsonObject, unknown> = {
        params: params as JsonObject,
        inputs,
        outputs: Object.fromEntries(
          Object.entries(folders).map(([name, folder]) => [name, { folder, reference: () => {} }]),
        ),
        engine,
        checkpoints: {
          find: async (key) => checkpoints.get(keyed(key)),
          async save(key, write) {
            const folder = newFolder("checkpoint");
            await write(folder);
            checkpoints.set(keyed(key), open("checkpoint", folder));
          },
          mark: async () => {},
          async drop(key) {
            checkpoints.delete(keyed(key));
          },
        },
        signal: abort.signal,
        asset: () => options.loader ?? "",
        rng: (name) => createRng(0, name),
        scratch(name) {
          mkdirSync(join(root, name), { recursive: true });
          return join(root, name);
        },
        threads: () => options.threads ?? 0,
        progress(event) {
          progress.push(event);
          if (progress.length === options.stopAfter) abort.abort(new Error("stopped by the test"));
        },
        metric(name, value) {
          metrics[name] = value;
        },
        measure(name, value) {
          measurements[name] = value;
        },
        log: (line) => lines.push(line),
        warn: (line) => lines.push(`warning: ${line}`),
      };
      try {
        await definition.run(context as never);
        const outputs = Object.fromEntries(
          Object.entries(folders).map(([name, folder]) => [name, open(ports[name]!.kind, folder)]),
        );
        return { outputs, metrics, measurements, lines, progress, liveTensors: engine.liveTensors() };
      } finally {
        await engine.close();
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

function wasmFolder(): string {
  const found = resolveEngine("wasm");
  if ("problem" in found) throw new Error(found.problem);
  return found.folder;
}
