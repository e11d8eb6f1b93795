/**
 * What a project of puppet stages should give, as a pure function of its graph, params, code and input files. It knows
 * nothing of keys, traces or caches, and is what the real planner, executor and store are compared with.
 *
 * Most puppets drop what they read (only its parity, its length), so that a change often ends after a stage or two.
 */
import { createHash } from "node:crypto";

/** A puppet's type says what it makes of its inputs. Each has code of its own, which can be edited. */
export const PUPPETS = ["mix", "parity", "length", "view"] as const;
export type PuppetType = (typeof PUPPETS)[number];

export interface ModelStage {
  readonly name: string;
  readonly type: PuppetType;
  readonly text: string;
  /** A setting about how it runs: counts for nothing. */
  readonly note: number;
  readonly fails: boolean;
  /** By port. */
  readonly inputs: Readonly<Record<string, ModelSource>>;
}

export type ModelSource = { readonly stage: string; readonly output: PuppetOutput } | { readonly path: string };
export const PUPPET_OUTPUTS = ["out", "side"] as const;
export type PuppetOutput = (typeof PUPPET_OUTPUTS)[number];

/** `salt` is what of the code makes bytes; a comment makes none, and yet is code. */
export interface PuppetCode {
  readonly salt: string;
  readonly comment: string;
}

export interface ModelProject {
  stages: ModelStage[];
  readonly code: Record<PuppetType, PuppetCode>;
  /** The user's files: text by path below the inputs' folder. What is not there was deleted. */
  readonly files: Map<string, { readonly text: string; readonly executable: boolean }>;
}

/** What stages read by path: two files, and a folder, which stays when it is empty. */
export const INPUT_FOLDER = "folder";
export const INPUT_PATHS = ["first.txt", "second.txt", INPUT_FOLDER];
export const INPUT_FILES = ["first.txt", "second.txt", `${INPUT_FOLDER}/a.txt`, `${INPUT_FOLDER}/deep/b.txt`];

/** An artifact as a stage sees it. */
export interface Value {
  readonly form: "file" | "folder" | "artifact";
  readonly files: ReadonlyMap<string, { readonly text: string; readonly executable: boolean }>;
  readonly base?: Value;
}

export interface Made {
  readonly files: ReadonlyMap<string, { readonly text: string; readonly executable: boolean }>;
  /** The port whose artifact it references. */
  readonly references?: string;
}

export interface ModelResult {
  /** By stage; undefined where it fails or needs one that does. */
  readonly values: ReadonlyMap<string, Readonly<Record<PuppetOutput, Value>> | undefined>;
  /** What makes two executions the same, by stage; undefined where an input is not there. */
  readonly identities: ReadonlyMap<string, string | undefined>;
}

export function codeText(type: PuppetType, { salt, comment }: PuppetCode): string {
  return `${type}\n${salt}\n${comment}\n`;
}

/** What a stage writes. `inputs` in the order of their ports. */
export function produce(
  type: PuppetType,
  salt: string,
  text: string,
  inputs: readonly (readonly [port: string, value: Value])[],
): Readonly<Record<PuppetOutput, Made>> {
  const read = inputs.map(([port, value]) => `${port}(${contentOf(value)})`).join("");
  const plain = (content: string) => ({ text: content, executable: false });
  const side: Made = { files: new Map([["side.txt", plain(`side of ${text}${salt}`)]]) };
  switch (type) {
    case "mix":
      return {
        out: {
          files: new Map([
            ["mixed.txt", plain(sha(`${salt}${text}${read}`).slice(0, 12))],
            ["more/kept.txt", { text: text.repeat(3), executable: true }],
          ]),
        },
        side,
      };
    case "parity":
      return { out: { files: new Map([["parity.txt", plain(`${salt}${parityOf(read)}`)]]) }, side };
    case "length":
      return { out: { files: new Map([["length.txt", plain(`${salt}${text.length + read.length}`)]]) }, side };
    case "view": {
      const base = inputs.find(([, value]) => value.form === "artifact");
      const files = new Map([["card.txt", plain(`${salt}${text}`)]]);
      return { out: base === undefined ? { files } : { files, references: base[0] }, side };
    }
  }
}

export function evaluate({ stages, code, files }: ModelProject): ModelResult {
  const values = new Map<string, Readonly<Record<PuppetOutput, Value>> | undefined>();
  const identities = new Map<string, string | undefined>();
  for (const stage of stages) {
    const inputs = Object.entries(stage.inputs)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([port, source]) => [port, findValue(source, values, files)] as const);
    const known = inputs.flatMap(([port, value]) => (value === undefined ? [] : [[port, value] as const]));
    if (known.length < inputs.length) {
      values.set(stage.name, undefined);
      identities.set(stage.name, undefined);
      continue;
    }
    const identity = [
      stage.type,
      codeText(stage.type, code[stage.type]),
      stage.text,
      stage.fails,
      known.map(([port, value]) => [port, identityOf(value)]),
    ];
    identities.set(stage.name, sha(JSON.stringify(identity)));
    if (stage.fails) {
      values.set(stage.name, undefined);
      continue;
    }
    const made = produce(stage.type, code[stage.type].salt, stage.text, known);
    const artifactOf = ({ files: written, references }: Made): Value => ({
      form: "artifact",
      files: written,
      ...(references === undefined ? {} : { base: known.find(([port]) => port === references)![1] }),
    });
    values.set(stage.name, { out: artifactOf(made.out), side: artifactOf(made.side) });
  }
  return { values, identities };
}

function findValue(
  source: ModelSource,
  values: ReadonlyMap<string, Readonly<Record<PuppetOutput, Value>> | undefined>,
  files: ModelProject["files"],
): Value | undefined {
  if ("stage" in source) return values.get(source.stage)?.[source.output];
  const file = files.get(source.path);
  if (file !== undefined) return { form: "file", files: new Map([["", file]]) };
  if (source.path !== INPUT_FOLDER) return undefined;
  const below = [...files].filter(([path]) => path.startsWith(`${INPUT_FOLDER}/`));
  const within = below.map(([path, content]) => [path.slice(source.path.length + 1), content] as const);
  return { form: "folder", files: new Map(within.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function contentOf({ files, base }: Value): string {
  const own = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, { text }]) => `${path}:${text};`);
  return base === undefined ? own.join("") : `${own.join("")}base(${contentOf(base)})`;
}

const identityCache = new WeakMap<Value, string>();

function identityOf(value: Value): string {
  const cached = identityCache.get(value);
  if (cached !== undefined) return cached;
  const { form, files, base } = value;
  // One file counts by its bytes alone, a folder by modes too.
  const listed = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { text, executable }]) => [path, text, form !== "file" && executable]);
  const identity = sha(JSON.stringify([form === "file", listed, base === undefined ? null : identityOf(base)]));
  identityCache.set(value, identity);
  return identity;
}

/** Of an artifact with all it references: even or odd. */
function parityOf(text: string): string {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return sum % 2 === 0 ? "even" : "odd";
}

function sha(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
