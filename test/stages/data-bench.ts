/** Runs the data stages in this process: inputs are artifacts or a user's files, outputs keep their references. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Artifact, ArtifactFile, StageContext, StageDefinition } from "../../src/contract.ts";
import { createRng } from "../../src/rng.ts";

export interface DataRun {
  readonly outputs: Readonly<Record<string, Artifact>>;
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

export interface DataBench {
  /** Params must be complete: see `stageWorkbench().params`. */
  run<Params>(
    definition: StageDefinition<Params>,
    params: Params,
    inputs: Readonly<Record<string, Artifact>>,
    options?: { readonly threads?: number; readonly asset?: string },
  ): Promise<DataRun>;
}

export function dataBench(root: string): DataBench {
  return {
    async run(definition, params, inputs, { threads = 0, asset = "" } = {}) {
      const ports =
        typeof definition.outputs === "function" ? definition.outputs(params, Object.keys(inputs)) : definition.outputs;
      const references = new Map(Object.keys(ports).map((name) => [name, {} as Record<string, Artifact>]));
      const folders = Object.fromEntries(Object.keys(ports).map((name) => [name, mkdtempSync(join(root, `${name}-`))]));
      const lines: string[] = [];
      const warnings: string[] = [];
      const unused = (): never => {
        throw new Error("not for data stages");
      };
      const context: StageContext<typeof params, never> = {
        params,
        inputs,
        outputs: Object.fromEntries(
          Object.entries(folders).map(([output, folder]) => [
            output,
            {
              folder,
              reference: (name, artifact) => {
                references.get(output)![name] = artifact;
              },
            },
          ]),
        ),
        get engine() {
          return unused();
        },
        checkpoints: { find: unused, save: unused, mark: unused, drop: unused },
        signal: new AbortController().signal,
        asset: () => asset,
        rng: (name) => createRng((params as { seed: number }).seed, name),
        scratch(name) {
          mkdirSync(join(root, "scratch", name), { recursive: true });
          return join(root, "scratch", name);
        },
        threads: () => threads,
        progress: () => {},
        metric: unused,
        measure: unused,
        log: (line) => lines.push(line),
        warn: (line) => warnings.push(line),
      };
      await (definition as unknown as StageDefinition<typeof params, never>).run(context);
      const outputs = Object.fromEntries(
        Object.entries(folders).map(([name, folder]) => [name, pathArtifact(folder, references.get(name))]),
      );
      return { outputs, lines, warnings };
    },
  };
}

/** A file or folder as an artifact, as an input that is a path arrives. */
export function pathArtifact(path: string, references: Readonly<Record<string, Artifact>> = {}): Artifact {
  const isFile = statSync(path).isFile();
  const files: ArtifactFile[] = isFile ? [{ path: "", sizeBytes: statSync(path).size, digest: "" }] : listFiles(path);
  return {
    kind: "any",
    digest: "",
    references,
    files,
    path(file = "") {
      if (!files.some((known) => known.path === file)) throw new Error(`there is no file ${JSON.stringify(file)}`);
      return join(path, file);
    },
  };
}

function listFiles(folder: string): ArtifactFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
    .map((path) => ({ path, sizeBytes: statSync(join(folder, path)).size, digest: "" }));
}

export function readJson(artifact: Artifact, file: string): unknown {
  return JSON.parse(readFileSync(artifact.path(file), "utf8"));
}
