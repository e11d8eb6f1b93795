/**
 * The one text of a lock, and the way back. It is YAML that needs no YAML parser: two spaces a level, one name a line,
 * sorted, and every value a plain word or JSON. So it is read in a few milliseconds where it stands as it was written;
 * a text that was written by anybody else is for `parse-lock.ts`, which can say what is wrong with it.
 *
 * Stays true: equal locks have equal texts, and a text that `readLock` takes is exactly the text of what it gives. A
 * stage is one block, so branches that change different stages change different lines.
 */
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { type Lock, type LockedKey, type LockedResults, type LockedStage, resultsName } from "./lock.ts";

export const LOCK_FORMAT = "tfpipe/lock/1";

const HEADER = `# What each stage of this pipeline made, and from what. Commit it with the pipeline.
# \`pipe lock\` writes it and \`pipe run\` keeps it; \`pipe check --frozen\` says whether it follows from the files here.
# After a merge conflict in it take either side, then run the pipeline.
`;

export function renderLock({ pipeline, results }: Lock): string {
  const lines: string[] = [];
  const named = Object.fromEntries(results.map((one) => [resultsName(pipeline, one.profiles), one]));
  writeMap({ format: LOCK_FORMAT, pipeline, results: mapSorted(named, writeResults) }, "", lines);
  return `${HEADER}${lines.join("\n")}\n`;
}

function writeResults({ profiles, stages }: LockedResults): JsonObject {
  return {
    profiles: optional(profiles),
    stages: mapSorted(stages, writeStage),
    machine: optional(mapSorted(stages, ({ machine }) => machine)),
    numerics: optional(mapSorted(stages, ({ key }) => optional(mapSorted(key.numerics, writeCount)))),
    tools: optional(mapSorted(stages, ({ key }) => optional(mapSorted(key.tools, (value) => value)))),
  };
}

function writeStage({ fingerprint, outputs, metrics, key, sources }: LockedStage): JsonObject {
  const words = (map: Readonly<Record<string, string>>) => optional(mapSorted(map, (value) => value));
  return {
    uses: key.uses,
    fingerprint,
    outputs: mapSorted(outputs, ({ kind, digest, sizeBytes }) => ({ kind, digest, sizeBytes })),
    metrics: optional(mapSorted(metrics, (value) => value)),
    inputs: optional(mapSorted(key.inputs, (digest, port) => ({ from: sources[port] ?? "", digest }))),
    params: optional(mapSorted(key.params, (text) => JSON.parse(text) as JsonValue)),
    command: optional(mapSorted(key.command, (text, name) => (name === "shell" ? writeList(text) : text))),
    env: words(key.env),
    code: key.code,
    modules: words(key.modules),
    packages: typeof key.packages === "string" ? key.packages : words(key.packages),
  };
}

function mapSorted<T>(
  map: Readonly<Record<string, T>>,
  write: (value: T, name: string) => JsonValue | undefined,
): JsonObject {
  const written: Record<string, JsonValue | undefined> = {};
  for (const name of Object.keys(map).sort()) written[name] = write(map[name]!, name);
  return written;
}

/** A list of words looks like one. */
function writeList(text: string): JsonValue {
  try {
    const list = JSON.parse(text) as JsonValue;
    return isJsonArray(list) && canonicalJson(list) === text ? list : text;
  } catch {
    return text;
  }
}

/** A count looks like one. */
function writeCount(text: string): JsonValue {
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

/** What is empty is not written. */
function optional<T extends JsonObject | readonly JsonValue[]>(value: T): T | undefined {
  const members = isJsonArray(value) ? value : Object.values(value).filter((member) => member !== undefined);
  return members.length === 0 ? undefined : value;
}

function writeMap(map: JsonObject, indent: string, lines: string[]): void {
  for (const [name, value] of Object.entries(map)) {
    if (value === undefined) continue;
    if (isJsonObject(value) && Object.keys(value).length > 0) {
      lines.push(`${indent}${writeWord(name)}:`);
      writeMap(value, `${indent}  `, lines);
    } else lines.push(`${indent}${writeWord(name)}: ${writeLeaf(value)}`);
  }
}

function writeLeaf(value: JsonValue): string {
  if (typeof value === "string") return writeWord(value);
  // YAML readers hold whole numbers exactly or not at all; with an exponent it is a number like any other.
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value))
    return value.toExponential();
  return canonicalJson(value);
}

/** Words that mean themselves in YAML. */
const PLAIN = /^[A-Za-z0-9_./][A-Za-z0-9_./@=,+-]*$/;
const NUMBER = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^0o[0-7]+$|^0x[0-9a-fA-F]+$/;
const RESERVED = /^(?:true|false|null|\.inf|\.nan)$/i;

function writeWord(text: string): string {
  return PLAIN.test(text) && !NUMBER.test(text) && !RESERVED.test(text) ? text : JSON.stringify(text);
}

/** Undefined where the text is not exactly what `renderLock` writes. */
export function readLock(text: string): Lock | undefined {
  const json = readLines(text);
  const lock = json === undefined ? undefined : lockFromJson(json);
  return lock !== undefined && renderLock(lock) === text ? lock : undefined;
}

function readLines(text: string): JsonObject | undefined {
  const root: Record<string, JsonValue> = {};
  const open = [root];
  try {
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const indent = line.search(/\S/);
      const depth = indent / 2;
      const map = open[depth];
      if (map === undefined) return undefined;
      const end =
        line[indent] === '"' ? indent + QUOTED.exec(line.slice(indent))![0].length : line.indexOf(":", indent);
      const name = readWord(line.slice(indent, end)) as string;
      open.length = depth + 1;
      if (line.length === end + 1) {
        const below: Record<string, JsonValue> = {};
        map[name] = below;
        open.push(below);
      } else map[name] = readWord(line.slice(end + 2));
    }
  } catch {
    return undefined;
  }
  return root;
}

const QUOTED = /^"(?:[^"\\]|\\.)*"/;

function readWord(text: string): JsonValue {
  const isJson = /^["[{]/.test(text) || NUMBER.test(text) || RESERVED.test(text);
  return isJson ? (JSON.parse(text, finite) as JsonValue) : text;
}

/** `1e999` is a number of JSON, and none that was ever written. */
function finite(_key: string, value: JsonValue): JsonValue {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError("not a number that JSON can hold");
  return value;
}

/** Undefined where something is missing or of another form. What a lock does not have is passed over. */
export function lockFromJson(json: JsonValue): Lock | undefined {
  try {
    const { format, pipeline, results } = mapOf(json);
    if (format !== LOCK_FORMAT) return undefined;
    return { pipeline: textOf(pipeline), results: Object.values(eachOf(results, readResults)) };
  } catch (error) {
    if (error instanceof Unfit) return undefined;
    throw error;
  }
}

class Unfit extends Error {}

function readResults(value: JsonValue): LockedResults {
  const { profiles = [], stages, machine = {}, numerics = {}, tools = {} } = mapOf(value);
  if (!isJsonArray(profiles)) throw new Unfit();
  const [machines, settings, programs] = [mapOf(machine), mapOf(numerics), mapOf(tools)];
  return {
    profiles: profiles.map(textOf),
    stages: eachOf(stages, (stage, name) =>
      readStage(stage, {
        machine: textOf(machines[name]),
        numerics: eachOf(settings[name] ?? {}, (value) => (typeof value === "number" ? String(value) : textOf(value))),
        tools: eachOf(programs[name] ?? {}, digestOf),
      }),
    ),
  };
}

interface ReadApart extends Pick<LockedKey, "numerics" | "tools"> {
  readonly machine: string;
}

function readStage(value: JsonValue, { machine, numerics, tools }: ReadApart): LockedStage {
  const stage = mapOf(value);
  const { uses, fingerprint, inputs = {}, params = {}, command = {}, env = {}, code, modules = {}, packages } = stage;
  const outputs = eachOf(stage.outputs, (output) => {
    const { kind, digest, sizeBytes } = mapOf(output);
    return { kind: textOf(kind), digest: digestOf(digest), sizeBytes: numberOf(sizeBytes) };
  });
  return {
    fingerprint: digestOf(fingerprint),
    outputs,
    metrics: eachOf(stage.metrics ?? {}, numberOf),
    sources: eachOf(inputs, (input) => textOf(mapOf(input).from)),
    machine,
    key: {
      uses: textOf(uses),
      code: digestOf(code),
      modules: eachOf(modules, digestOf),
      packages: typeof packages === "string" ? digestOf(packages) : eachOf(packages ?? {}, textOf),
      params: eachOf(params, canonicalJson),
      inputs: eachOf(inputs, (input) => digestOf(mapOf(input).digest)),
      outputs: Object.keys(outputs).sort(),
      command: eachOf(command, (member) => (isJsonArray(member) ? canonicalJson(member) : textOf(member))),
      env: eachOf(env, digestOf),
      numerics,
      tools,
    },
  };
}

function mapOf(value: JsonValue | undefined): JsonObject {
  if (!isJsonObject(value)) throw new Unfit();
  return value;
}

function eachOf<T>(
  value: JsonValue | undefined,
  read: (member: JsonValue, name: string) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(mapOf(value)).map(([name, member]) => [name, read(member!, name)]));
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value !== "string") throw new Unfit();
  return value;
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value !== "number") throw new Unfit();
  return value;
}

function digestOf(value: JsonValue | undefined): string {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw new Unfit();
  return value;
}
