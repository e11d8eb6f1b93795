/**
 * A copy of the sources whose files can be edited, and the keys that stages then get: made as a checkout's own program
 * makes them, through the code library, without running a stage.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResolvedEngine } from "../../src/execute/engine-port.ts";
import { makeStageKey, type StageKey } from "../../src/execute/stage-key.ts";
import { bundleCode, type CodeBundle } from "../../src/identity/bundle-code.ts";
import { type CodeIndex, openCodeLibrary, type StageCode } from "../../src/identity/code-library.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { diffKeys } from "../../src/identity/fingerprint.ts";
import type { KeyDifference } from "../../src/identity/key-manifest.ts";
import type { PipelineStage } from "../../src/language/pipeline.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";
import { describeMachine } from "../../src/platform/machine.ts";
import { engineSources, registry } from "../../stages/registry.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const COPIED = ["src", "stages", "assets", "package.json", "tsconfig.json"];

/** What the stages whose key moved differ in, by stage: `plot`; of one that computes, `train on wasm`. */
export type MovedKeys = ReadonlyMap<string, readonly KeyDifference[]>;

export interface Checkout {
  /** Paths of every source file and asset, in order. */
  readonly sources: readonly string[];
  /** Edits a file, makes every key, and sets the file back. Gives the stages that would run again. */
  after(path: string, edit: (text: string) => string | Uint8Array): Promise<MovedKeys>;
  /** Stages whose code has something of each TypeScript source, by path: every source carries a mark at once. */
  stagesWithEach(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Another version of a package. */
  afterVersion(packageName: string, version: string): Promise<MovedKeys>;
  remove(): void;
}

export async function openCheckout(): Promise<Checkout> {
  const folder = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const part of COPIED) cpSync(join(root, part), join(folder, part), { recursive: true });
  copyManifests(join(root, "node_modules"), join(folder, "node_modules"));
  const code = join(folder, "code");
  const index = JSON.stringify(await build(folder, code));
  const sources = ["src", "stages", "assets"].flatMap((part) => filesUnder(folder, part));
  let count = 0;
  const keys = async (): Promise<ReadonlyMap<string, StageKey>> => {
    // The library keeps what it bundled again: every edit starts from the same build.
    writeFileSync(join(code, "code.json"), index);
    const unique = () => `u${++count}`;
    const library = await openCodeLibrary({ files: nodeFileSystem, folder: code, sources: folder, unique });
    return makeKeys(library.resolve);
  };
  const before = await keys();
  const moved = async (): Promise<MovedKeys> => {
    const found = new Map<string, readonly KeyDifference[]>();
    for (const [name, key] of await keys()) {
      const old = before.get(name)!;
      if (old.fingerprint !== key.fingerprint) found.set(name, diffKeys(old, key));
    }
    return found;
  };
  return {
    sources,
    async after(path, edit) {
      const at = join(folder, path);
      const text = readFileSync(at);
      writeFileSync(at, edit(text.toString("latin1")), "latin1");
      try {
        return await moved();
      } finally {
        writeFileSync(at, text);
      }
    },
    async stagesWithEach() {
      const scripts = sources.filter((path) => path.endsWith(".ts"));
      const originals = scripts.map((path) => readFileSync(join(folder, path)));
      for (const [index, path] of scripts.entries())
        writeFileSync(join(folder, path), `${originals[index]}\n${markOf(path)};\n`);
      try {
        const marked = await keys();
        const texts = new Map<string, string>();
        const textOf = ({ path }: { readonly path: string }) => {
          if (!texts.has(path)) texts.set(path, readFileSync(path, "latin1"));
          return texts.get(path)!;
        };
        const withMark = (path: string) =>
          [...marked].filter(([, { resolved }]) =>
            resolved!.bundles.some((bundle) => textOf(bundle).includes(markOf(path))),
          );
        return new Map(scripts.map((path) => [path, withMark(path).map(([name]) => name)]));
      } finally {
        for (const [index, path] of scripts.entries()) writeFileSync(join(folder, path), originals[index]!);
      }
    },
    async afterVersion(packageName, version) {
      const at = join(folder, "node_modules", packageName, "package.json");
      const text = readFileSync(at, "utf8");
      writeFileSync(at, JSON.stringify({ ...(JSON.parse(text) as object), version }));
      try {
        return await moved();
      } finally {
        writeFileSync(at, text);
      }
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** A statement that a bundle keeps exactly where it has anything of the file at all. */
export function markOf(path: string): string {
  return `globalThis.edited=${JSON.stringify(path)}`;
}

/** What keys know of packages is in their manifests: these are copied, and nothing else of them. */
function copyManifests(from: string, to: string): void {
  for (const { name } of readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    if (name.startsWith("@")) copyManifests(join(from, name), join(to, name));
    else if (!name.startsWith(".") && existsSync(join(from, name, "package.json"))) {
      mkdirSync(join(to, name), { recursive: true });
      copyFileSync(join(from, name, "package.json"), join(to, name, "package.json"));
      const inner = join(from, name, "node_modules");
      if (existsSync(inner)) copyManifests(inner, join(to, name, "node_modules"));
    }
  }
}

/** As `npm run build` does it. */
async function build(folder: string, code: string): Promise<CodeIndex> {
  mkdirSync(code);
  const bundle = async (source: string): Promise<CodeBundle> => {
    const made = await bundleCode(folder, source);
    writeFileSync(join(code, made.bundle.file), made.text);
    return made.bundle;
  };
  const stages: Record<string, StageCode> = {};
  for (const [type, { definition }] of registry) {
    const assets: Record<string, CodeBundle> = {};
    for (const [name, path] of Object.entries(definition.assets ?? {}))
      assets[name] = await bundle(posix.join("stages", path));
    stages[type] = { entry: await bundle(`stages/${type}.ts`), assets };
  }
  const engines: Record<string, CodeBundle> = {};
  for (const [name, source] of Object.entries(engineSources)) engines[name] = await bundle(source);
  return { format: "tfpipe/code/1", stages, engines };
}

/** One stage of every type; of those that compute, one on each engine. */
function makeKeys(resolve: Resolve) {
  const workspace = { code: { resolve }, catalogue: registry, machine: describeMachine() };
  const keys = new Map<string, StageKey>();
  for (const [type, { definition }] of registry) {
    const engines = definition.computes === true ? (Object.keys(engineSources) as EngineName[]) : [undefined];
    for (const engine of engines) {
      const request = {
        stage: stageOf(type),
        pipelineFolder: "/",
        inputs: { digests: { data: digestBytes("data") }, places: {}, tools: {} },
        engine: engine === undefined ? undefined : engineNamed(engine),
      };
      keys.set(engine === undefined ? type : `${type} on ${engine}`, makeStageKey(workspace, request));
    }
  }
  return keys;
}

type Resolve = Parameters<typeof makeStageKey>[0]["code"]["resolve"];
type EngineName = keyof typeof engineSources;

function stageOf(type: string): PipelineStage {
  const span = { file: "", start: 0, end: 0 };
  return {
    name: type,
    type,
    params: {},
    inputs: {},
    outputs: {},
    after: [],
    execution: { retries: 0, cache: true, frozen: false },
    env: {},
    facts: {},
    spans: { name: span, params: {}, inputs: {} },
  };
}

function engineNamed(name: EngineName): ResolvedEngine {
  return {
    name,
    version: "1",
    folder: "",
    build: "",
    threads: 1,
    precision: "float32",
    convolution: "auto",
    environment: {},
  };
}

function filesUnder(folder: string, part: string): string[] {
  return readdirSync(join(folder, part), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${part}/${entry.name}`;
      return entry.isDirectory() ? filesUnder(folder, path) : [path];
    })
    .sort();
}
