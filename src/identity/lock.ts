/**
 * A lock: what each stage of a pipeline came to, and from what, in a file that is committed beside the pipeline. From it
 * alone can be said whether the results still follow from the files of a repository, where there is no store and no data.
 *
 * Stays true: all that a fingerprint is made of is there by part, so what no longer follows can be named. Nothing else
 * is: no date, no path of a machine, and of the values of listed environment variables only digests, for they may be
 * secrets. What machines differ in stands apart from the stages.
 */
import { canonicalJson } from "../json.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { digestBytes } from "./digest.ts";
import { commandMembers, type KeyedCode, textMembers } from "./fingerprint.ts";
import { flattenJson } from "./flatten-json.ts";
import type { KeyDifference } from "./key-manifest.ts";

export interface Lock {
  readonly pipeline: string;
  /** Of the pipeline without profiles, and of each choice of profiles that was locked. */
  readonly results: readonly LockedResults[];
}

export interface LockedResults {
  readonly profiles: readonly string[];
  readonly stages: Readonly<Record<string, LockedStage>>;
}

export interface LockedStage {
  readonly fingerprint: string;
  readonly outputs: Readonly<Record<string, LockedOutput>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly key: LockedKey;
  /** What each input reads, as written in the pipeline. */
  readonly sources: Strings;
  /** The class of machines that made it. In no fingerprint. */
  readonly machine: string;
}

export interface LockedOutput {
  readonly kind: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What a fingerprint is made of, by part and name. */
export interface LockedKey {
  readonly uses: string;
  /** Of the whole bundle. */
  readonly code: string;
  /** Digest by module of a stage of the user's own. Of a stage type there are none: they come with the package. */
  readonly modules: Strings;
  /** Versions of what a stage of the user's own imports; of a stage type one digest of all of them. */
  readonly packages: Strings | string;
  /** By dotted path, as canonical JSON. */
  readonly params: Strings;
  readonly inputs: Strings;
  /** Names, in order. */
  readonly outputs: readonly string[];
  /** Of a shell stage: its text as a digest, what its references stand for, names of files, shell and folder. */
  readonly command: Strings;
  readonly env: Strings;
  readonly tools: Strings;
  readonly numerics: Strings;
}

type Strings = Readonly<Record<string, string>>;

/** One execution, as traces have it. */
export interface LockableResult extends KeyedCode {
  readonly fingerprint: string;
  readonly outputs: Readonly<Record<string, LockedOutput>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly platformClass: string;
}

export function lockStage(stage: PipelineStage, result: LockableResult): LockedStage {
  const { fingerprint, outputs, metrics, platformClass } = result;
  return {
    fingerprint,
    outputs: mapValues(outputs, ({ kind, digest, sizeBytes }) => ({ kind, digest, sizeBytes })),
    metrics,
    key: lockKey(stage, result),
    sources: lockSources(stage, Object.keys(result.manifest.inputs)),
    machine: platformClass,
  };
}

/** What the ports of a key read. Of a stage that is kept as it was, the pipeline may have other ports by now. */
export function lockSources({ inputs }: PipelineStage, ports: readonly string[]): Strings {
  return Object.fromEntries(
    ports.map((port) => {
      const source = inputs[port];
      const text = source?.from === "stage" ? `${source.stage}.${source.output}` : source?.text;
      return [port, text ?? ""];
    }),
  );
}

export function lockKey(stage: PipelineStage, { manifest, code }: KeyedCode): LockedKey {
  const isOwn = stage.module !== undefined;
  const { packages, command } = manifest;
  const secrets = Object.values(manifest.env)
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .map((value) => JSON.stringify(value).slice(1, -1));
  const hide = (text: string) => (secrets.some((secret) => text.includes(secret)) ? digestBytes(text) : text);
  return {
    uses: manifest.stageType,
    code: manifest.code,
    modules: isOwn ? code.modules : {},
    packages: isOwn || Object.keys(packages).length === 0 ? packages : digestBytes(canonicalJson(packages)),
    params: mapValues(flattenJson(manifest.params), (text) => {
      const hidden = hide(text);
      return hidden === text ? text : JSON.stringify(hidden);
    }),
    inputs: manifest.inputs,
    outputs: Object.keys(manifest.outputs).sort(),
    command: Object.fromEntries(
      Object.entries(commandMembers(command)).map(([name, member]) => [
        name,
        name === "text" ? digestBytes(member) : hide(member),
      ]),
    ),
    env: mapValues(manifest.env, digestBytes),
    tools: command?.tools ?? {},
    numerics: textMembers(manifest.numerics),
  };
}

/** A listed variable with so short a value is a switch, and hides nothing. */
const SHORTEST_SECRET = 4;

/** Everything in which `after` differs from `before`. What machines differ in is the last. */
export function diffLockedKeys(before: LockedKey, after: LockedKey): readonly KeyDifference[] {
  const differences: KeyDifference[] = [];
  const compare = (part: KeyDifference["part"], name: string, old: string | undefined, now: string | undefined) => {
    if (old === now) return;
    differences.push({
      part,
      name,
      ...(old === undefined ? {} : { before: old }),
      ...(now === undefined ? {} : { after: now }),
    });
  };
  const compareMaps = (part: KeyDifference["part"], old: Strings, now: Strings) => {
    for (const name of [...new Set([...Object.keys(old), ...Object.keys(now)])].sort())
      compare(part, name, old[name], now[name]);
  };
  compare("stageType", "uses", before.uses, after.uses);
  compareMaps("param", before.params, after.params);
  compareMaps("input", before.inputs, after.inputs);
  compareMaps("command", before.command, after.command);
  if (before.code !== after.code) {
    const count = differences.length;
    compareMaps("code", before.modules, after.modules);
    if (differences.length === count) compare("code", BUNDLE, before.code, after.code);
  }
  if (typeof before.packages === "string" || typeof after.packages === "string")
    compare("package", BUNDLED_PACKAGES, digestOfPackages(before), digestOfPackages(after));
  else compareMaps("package", before.packages, after.packages);
  compareMaps("output", namesOnly(before.outputs), namesOnly(after.outputs));
  compareMaps("env", before.env, after.env);
  compareMaps("tool", before.tools, after.tools);
  compareMaps("numerics", before.numerics, after.numerics);
  return differences;
}

/** The name of the difference where no module tells what it is. */
export const BUNDLE = "bundle";
/** The name of the difference of packages that come with a stage type. */
export const BUNDLED_PACKAGES = "those of the stage type";

const namesOnly = (names: readonly string[]): Strings => Object.fromEntries(names.map((name) => [name, name]));

function digestOfPackages({ packages }: LockedKey): string | undefined {
  if (typeof packages === "string") return packages;
  return Object.keys(packages).length === 0 ? undefined : digestBytes(canonicalJson(packages));
}

/** `words`, `words@quick`: what results are called in a lock, as the folder that they are in. */
export function resultsName(pipeline: string, profiles: readonly string[]): string {
  return [pipeline, ...profiles].join("@");
}

export function findResults(lock: Lock | undefined, profiles: readonly string[]): LockedResults | undefined {
  return lock?.results.find((results) => canonicalJson(results.profiles) === canonicalJson(profiles));
}

/** The name that a command sees of an output of one file. */
export function fileNameOf({ key }: LockedStage, output: string): string | undefined {
  return key.command[`name of output ${output}`]?.split("/").at(-1);
}

/** The name that a command saw of an input. */
export function placeOf({ key }: LockedStage, port: string): string {
  return key.command[`name of input ${port}`] ?? "";
}

function mapValues<T, U>(values: Readonly<Record<string, T>>, map: (value: T) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}
