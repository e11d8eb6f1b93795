/** From a key manifest to a fingerprint, and from two manifests to what differs between them. */
import { canonicalJson, type JsonObject } from "../json.ts";
import { digestBytes } from "./digest.ts";
import { flattenJson } from "./flatten-json.ts";
import type { CodeListing, CommandKey, KeyDifference, KeyManifest } from "./key-manifest.ts";

export function fingerprintOf(manifest: KeyManifest): string {
  return digestBytes(canonicalJson(manifest as unknown as JsonObject));
}

/** What has to be known of each side: the manifest, and which module of the code has which digest. */
export interface KeyedCode {
  readonly manifest: KeyManifest;
  readonly code: CodeListing;
}

/** Everything in which `after` differs from `before`; empty exactly where their fingerprints are equal. */
export function diffKeys(before: KeyedCode, after: KeyedCode): readonly KeyDifference[] {
  const differences: KeyDifference[] = [];
  const a = before.manifest;
  const b = after.manifest;
  const compare = (
    part: KeyDifference["part"],
    name: string,
    old: string | undefined,
    now: string | undefined,
  ): void => {
    if (old !== now) {
      differences.push({
        part,
        name,
        ...(old === undefined ? {} : { before: old }),
        ...(now === undefined ? {} : { after: now }),
      });
    }
  };
  const compareMaps = (part: KeyDifference["part"], old: StringMap, now: StringMap): void => {
    for (const name of [...new Set([...Object.keys(old), ...Object.keys(now)])].sort())
      compare(part, name, old[name], now[name]);
  };
  compare("schema", "format", a.schema, b.schema);
  compare("stageType", "uses", a.stageType, b.stageType);
  compareMaps("param", flattenJson(a.params), flattenJson(b.params));
  compareMaps("input", a.inputs, b.inputs);
  if (a.code !== b.code) {
    const count = differences.length;
    compareMaps("code", before.code.modules, after.code.modules);
    // The bundle changed while no module did: the way of bundling itself.
    if (differences.length === count) compare("code", "bundle", a.code, b.code);
  }
  compareMaps("command", commandMembers(a.command), commandMembers(b.command));
  compareMaps("tool", a.command?.tools ?? {}, b.command?.tools ?? {});
  compareMaps("package", a.packages, b.packages);
  compareMaps("output", a.outputs, b.outputs);
  compareMaps("env", a.env, b.env);
  compareMaps("numerics", textMembers(a.numerics), textMembers(b.numerics));
  return differences;
}

type StringMap = Readonly<Record<string, string>>;

/** A command by name: the values of its variables, the names of files, `text`, `shell` and `folder`. */
export function commandMembers(command: CommandKey | undefined): StringMap {
  if (command === undefined) return {};
  const { text, shell, folder, values, places, outputPaths } = command;
  const names = [
    ...Object.entries(places).map(([port, name]) => [`name of input ${port}`, name]),
    ...Object.entries(outputPaths).map(([port, name]) => [`name of output ${port}`, name]),
  ];
  return { ...values, ...Object.fromEntries(names), text, shell: canonicalJson(shell), folder };
}

export function textMembers(value: object | undefined): StringMap {
  return Object.fromEntries(Object.entries(value ?? {}).map(([name, member]) => [name, String(member)]));
}
