/**
 * A user's own stages as the language and the keys need them: ports, schema and checks, from the bundle that will run.
 * A definition that is data only is kept beside the index, so that a run with nothing to do imports nothing of the
 * user's; one with a `check`, a `describe` or computed outputs is imported. `run` is never called here.
 */
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { StageDefinition } from "../contract.ts";
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { findUnknownKeyword, followReference } from "../language/judge-schema.ts";
import type { StageType, StageTypeProblem } from "../language/pipeline.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { CodeBundle } from "./bundle-code.ts";
import type { UnbundlableModule } from "./bundle-user-code.ts";
import type { StageCode } from "./code-library.ts";
import { digestBytes } from "./digest.ts";
import { openUserCode, type UserCodeOptions } from "./user-code.ts";

export interface UserStages {
  /** By the absolute path of the module. */
  readonly types: ReadonlyMap<string, StageType>;
  /** Why the others could not be loaded. */
  readonly problems: ReadonlyMap<string, StageTypeProblem>;
  /** Of those that could be loaded. */
  readonly code: ReadonlyMap<string, StageCode>;
  /** Of each of those: the digest of all that the language knows of it. While it is the same, so is what a pipeline comes to. */
  readonly digests: ReadonlyMap<string, string>;
  /** Of each of those: the files that it was made of, absolute. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

/** What is wrong with a module, ending a sentence that begins with its path. */
class UnfitStage extends Error {
  readonly help: string | undefined;
  constructor(problem: string, help?: string) {
    super(problem);
    this.help = help;
  }
}

/** `modules`: absolute paths, each once. */
export async function loadUserStages(options: UserCodeOptions, modules: readonly string[]): Promise<UserStages> {
  const { files } = options;
  const code = openUserCode(options);
  const types = new Map<string, StageType>();
  const problems = new Map<string, StageTypeProblem>();
  const codes = new Map<string, StageCode>();
  const digests = new Map<string, string>();
  const sources = new Map<string, readonly string[]>();
  for (const module of modules) {
    try {
      if (files.stat(files.resolveLink(module))?.kind !== "file") throw new UnfitStage("does not exist");
      const entry = await code.bundle(files.resolveLink(module));
      const known = code.recall(module, entry) as KeptDefinition | undefined;
      const definition = known === undefined ? await importDefinition(entry) : revive(known);
      if (known === undefined && isData(definition)) code.note(module, entry, keep(definition));
      const beside = (path: string) => files.resolveLink(resolve(dirname(module), path));
      const assets: Record<string, CodeBundle> = {};
      for (const [name, path] of Object.entries(definition.assets ?? {}))
        assets[name] = await bundleAsset(files, code.bundle, beside(path), name);
      const schema = schemaOf(files, definition, module);
      types.set(module, { definition, schema, module });
      digests.set(module, digestBytes(canonicalJson([entry.digest, schema])));
      codes.set(module, { entry, assets });
      sources.set(module, [
        ...[files.resolveLink(module), ...Object.values(definition.assets ?? {}).map(beside)].flatMap(code.sourcesOf),
        ...(typeof definition.schema === "string" ? [beside(definition.schema)] : []),
      ]);
    } catch (error) {
      problems.set(module, describeProblem(error));
    }
  }
  code.save();
  return { types, problems, code: codes, digests, sources };
}

function describeProblem(error: unknown): StageTypeProblem {
  if (!(error instanceof Error)) throw error;
  const help = "help" in error && typeof error.help === "string" ? error.help : undefined;
  const withHelp = help === undefined ? {} : { help };
  if (error instanceof UnfitStage) return { problem: error.message, ...withHelp };
  // By name: its class comes with the bundler, which is loaded only when something must be bundled.
  if (error.name === "UnbundlableModule") {
    const { place } = error as UnbundlableModule;
    return { problem: `cannot be bundled: ${error.message}`, ...withHelp, ...(place === undefined ? {} : { place }) };
  }
  throw error;
}

async function bundleAsset(
  files: FileSystem,
  bundle: (path: string) => Promise<CodeBundle>,
  path: string,
  name: string,
): Promise<CodeBundle> {
  if (files.stat(path)?.kind !== "file")
    throw new UnfitStage(
      `names an asset ${name} that does not exist: ${path}`,
      "assets are files, by paths relative to the module",
    );
  return bundle(path);
}

/** Runs the module's top level, in this process. */
async function importDefinition({ file }: CodeBundle): Promise<StageDefinition> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UnfitStage(
      `fails when it is loaded: ${error instanceof Error ? error.message : String(error)}`,
      "what is only needed to run belongs into `run`",
    );
  }
  const stages = [...new Set(Object.values(exported))].filter(isStage);
  const [definition, ...others] = stages;
  if (definition === undefined)
    throw new UnfitStage(
      "exports no stage",
      "export const clean = defineStage({ type, description, inputs, outputs, run })",
    );
  if (others.length > 0)
    throw new UnfitStage(
      `exports ${stages.length} stages: ${stages.map(({ type }) => type).join(", ")}`,
      "give each a file of its own",
    );
  const problem = findFlaw(definition);
  if (problem !== undefined) throw new UnfitStage(`exports a stage whose ${problem}`);
  return definition;
}

function isStage(candidate: unknown): candidate is StageDefinition {
  const { type, run } = (candidate ?? {}) as Partial<StageDefinition>;
  return typeof type === "string" && typeof run === "function";
}

const TYPE_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** What the compiler would have said, for modules that were never compiled. */
function findFlaw({ type, description, inputs, outputs, assets }: StageDefinition): string | undefined {
  if (!TYPE_NAME.test(type)) return `type ${JSON.stringify(type)} is not a name like clean-labels`;
  if (typeof description !== "string" || description === "") return "description is missing";
  if (!isMap(inputs)) return "inputs are not ports by name";
  for (const [name, port] of Object.entries(inputs))
    if (!isMap(port) || !(typeof port.kind === "string" || Array.isArray(port.kind)))
      return `input ${name} has no kind`;
  if (typeof outputs !== "function") {
    if (!isMap(outputs) || Object.keys(outputs).length === 0) return "outputs are not ports by name";
    for (const [name, port] of Object.entries(outputs))
      if (!isMap(port) || typeof port.kind !== "string") return `output ${name} has no kind`;
  }
  if (assets !== undefined && !(isMap(assets) && Object.values(assets).every((path) => typeof path === "string")))
    return "assets are not paths by name";
  return undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A definition whose parts are data, `run` aside. */
type KeptDefinition = Omit<StageDefinition, "run" | "check" | "describe" | "estimate">;

function isData({ outputs, check, describe, estimate }: StageDefinition): boolean {
  return typeof outputs !== "function" && [check, describe, estimate].every((part) => part === undefined);
}

function keep({ run: _run, ...data }: StageDefinition): KeptDefinition {
  return data;
}

function revive(kept: KeptDefinition): StageDefinition {
  return {
    ...kept,
    async run() {
      throw new Error(`stage ${kept.type} runs in a process of its own`);
    },
  };
}

/** Of a stage without a schema: it has no settings. */
const NO_SETTINGS: JsonObject = { type: "object", additionalProperties: false, properties: {} };
const COMBINED = ["$ref", "allOf", "anyOf", "oneOf", "if", "additionalProperties"];

function schemaOf(files: FileSystem, { schema: given }: StageDefinition, module: string): JsonObject {
  if (given === undefined) return NO_SETTINGS;
  const schema = typeof given === "string" ? readSchema(files, resolve(dirname(module), given), given) : given;
  const help = "a schema is that of the settings under `with`: a JSON Schema (draft-07) of type object";
  if (!isJsonObject(schema) || schema.type !== "object")
    throw new UnfitStage('has a schema whose type is not "object"', help);
  const unknown = findUnknownKeyword(schema);
  if (unknown !== undefined)
    throw new UnfitStage(`has a schema with ${unknown}, which is not known here`, "see docs/stages.md for what is");
  for (const [, reference] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]*)"/g)) {
    try {
      followReference(schema, reference!);
    } catch {
      throw new UnfitStage(`has a schema that refers to ${reference}, which is not in it`);
    }
  }
  // Unknown settings are errors, also where the schema does not say so.
  return COMBINED.some((keyword) => schema[keyword] !== undefined)
    ? schema
    : { ...schema, additionalProperties: false };
}

function readSchema(files: FileSystem, path: string, shown: string): JsonValue {
  const text = files.readText(path);
  if (text === undefined) throw new UnfitStage(`names a schema that does not exist: ${shown}`);
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new UnfitStage(`names a schema that is not JSON: ${shown}: ${(error as Error).message}`);
  }
}
