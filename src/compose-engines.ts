/** Connects the commands to the ml library's engines. Part of the composition root. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ContractTable,
  EngineInstallRefused,
  type EngineListing,
  type EngineTest,
  type EngineTestOptions,
  type EngineTools,
} from "./cli/engine-tools.ts";
import type { EngineProblem, ResolvedEngine } from "./execute/engine-port.ts";
import type { EngineSetting } from "./language/pipeline.ts";
import { type EngineEntry, listEngines, resolveEngine, webgpuBuild } from "./ml/engine/catalogue.ts";
import type { EngineName } from "./ml/engine/engine.ts";
import { engineRoot, findInstalled, readRefusal } from "./ml/engine/engine-folder.ts";
import { nativeEnvironment, nativeNumerics } from "./ml/engine/native/binding.ts";
import { type UnsupportedSetting, unsupportedSetting } from "./ml/engine/unsupported-setting.ts";
import { webgpuEnvironment } from "./ml/engine/webgpu/vulkan-drivers.ts";

/** As pipelines have it where they say nothing else. */
const TEST_THREADS = 2;

export interface EngineToolsOptions {
  /** Folder of the built programs. */
  readonly dist: string;
}

export function createEngineTools({ dist }: EngineToolsOptions): EngineTools {
  const root = engineRoot();
  const selfTestProgram = join(dist, "self-test.js");
  const toListing = async (entry: EngineEntry, selfTest: boolean): Promise<EngineListing> => {
    const listing = {
      name: entry.name,
      available: entry.available,
      ...(entry.version === "" ? {} : { version: entry.version }),
      ...(entry.source === "" ? {} : { source: entry.source }),
      ...(entry.folder === "" ? {} : { folder: entry.folder }),
      ...(entry.problem === undefined ? {} : { problem: entry.problem }),
      ...(entry.help === undefined ? {} : { help: entry.help }),
    };
    if (!selfTest || !entry.available) return listing;
    const { selfTestInProcess } = await import("./ml/engine/self-test-process.ts");
    const result = await selfTestInProcess(selfTestProgram, entry);
    return { ...listing, selfTest: result };
  };
  const withContract = async (
    entry: EngineEntry,
    listing: EngineListing,
    onProgress: EngineTestOptions["onProgress"],
    signal: AbortSignal,
  ): Promise<EngineTest> => {
    const { contractInProcess, contractSettings } = await import("./ml/engine/contract/contract-process.ts");
    const contracts: ContractTable[] = [];
    for (const settings of contractSettings(entry.name)) {
      const report = await contractInProcess({
        program: join(dist, "contract.js"),
        engine: entry,
        threads: TEST_THREADS,
        settings,
        onProgress: ({ done, of, topic }) =>
          onProgress({ phase: `${entry.name}: ${topic}`, done, total: of, unit: "cases" }),
        signal,
      });
      const nothing = { rows: [], cases: 0, ms: 0 };
      contracts.push({
        ...settings,
        ...("rows" in report ? report : { ok: false, ...nothing, problems: [report.problem] }),
      });
    }
    return { ...listing, contracts };
  };
  return {
    resolve({ name, threads, precision, convolution }: EngineSetting) {
      const choice = resolveEngine(name, root);
      if ("problem" in choice) return choice;
      const unsupported = unsupportedSetting(choice.name, { precision, convolution });
      if (unsupported !== undefined) return settingProblem(name, choice.name, unsupported);
      const native = choice.name === "native";
      const webgpu = choice.name === "webgpu";
      return {
        ...choice,
        build: native ? nativeBuild(root) : webgpu ? webgpuBuild() : "",
        threads,
        precision,
        convolution,
        ...(native && { numerics: nativeNumerics() }),
        environment: native ? nativeEnvironment(threads) : webgpu ? webgpuEnvironment() : {},
      };
    },
    async test({ names, full, onProgress, signal }) {
      const tests: EngineTest[] = [];
      // One after the other: they would take each other's cores.
      for (const entry of listEngines(root).filter(({ name }) => names.length === 0 || names.includes(name))) {
        onProgress({ phase: `testing ${entry.name}`, done: 0, unit: "cases" });
        const listing = await toListing(entry, true);
        tests.push(
          full && listing.selfTest?.ok === true ? await withContract(entry, listing, onProgress, signal) : listing,
        );
      }
      return tests;
    },
    async prove(engine, signal) {
      const { name, version, build, precision, convolution } = engine;
      const proof = join(root, `proven-${fileWord([name, version, build, precision, convolution].join(" "))}.json`);
      if (existsSync(proof)) return undefined;
      const { selfTestInProcess } = await import("./ml/engine/self-test-process.ts");
      const result = await selfTestInProcess(selfTestProgram, engine, { signal });
      if (!result.ok) return result.problem;
      try {
        mkdirSync(root, { recursive: true });
        writeFileSync(proof, "{}\n");
      } catch {
        // A cache folder that cannot be written only means testing again.
      }
      return undefined;
    },
    flopsPerSecond: (engine, anewWithinMs) => measuredRate(root, join(dist, "rate.js"), engine, anewWithinMs),
    list: ({ selfTest }) => Promise.all(listEngines(root).map((entry) => toListing(entry, selfTest))),
    async install({ gpu, libraryFolder, onProgress, signal }) {
      const { installNativeEngine, EngineInstallFailure } = await import("./ml/engine/native/install.ts");
      const { selfTestInProcess } = await import("./ml/engine/self-test-process.ts");
      let note: string | undefined;
      try {
        ({ note } = await installNativeEngine({
          root,
          gpu,
          ...(libraryFolder === undefined ? {} : { libraryFolder }),
          selfTest: (folder) => selfTestInProcess(selfTestProgram, { name: "native", folder }, { signal }),
          onProgress,
          signal,
        }));
      } catch (error) {
        if (error instanceof EngineInstallFailure) throw new EngineInstallRefused(error.message, error.help);
        throw error;
      }
      const listing = await toListing(listEngines(root).find(({ name }) => name === "native")!, true);
      return note === undefined ? listing : { ...listing, problem: note };
    },
    shouldInstall: () => findInstalled(root) === undefined && readRefusal(root) === undefined,
    refusal: () => (findInstalled(root) === undefined ? readRefusal(root) : undefined),
  };
}

/** Device and digest of TensorFlow's library. */
function nativeBuild(root: string): string {
  const { manifest } = findInstalled(root)!;
  const library = Object.entries(manifest.libraries).find(([name]) => name.includes("tensorflow_cc"))?.[1].sha256 ?? "";
  return `${manifest.device}-${library.slice(0, 12)}`;
}

function fileWord(text: string): string {
  return text.trim().replaceAll(/[^\w.]+/g, "-");
}

/** In the words of the engines, with what mends it. */
function settingProblem(
  asked: EngineSetting["name"],
  engine: EngineName,
  { setting, instead, able, error }: UnsupportedSetting,
): EngineProblem {
  const otherwise = `set \`${setting}: ${instead}\``;
  const help =
    able.length === 0
      ? otherwise
      : asked === "auto"
        ? `the engine "auto" is ${engine} here: install native with \`npx pipe engine install\`, or ${otherwise}`
        : `set \`name: ${able.join("` or `name: ")}\`, or ${otherwise}`;
  return { problem: error.message, help, setting };
}

/** Measured once per engine, version and settings, and kept beside the engines; with `anewWithinMs` each time. */
async function measuredRate(
  root: string,
  program: string,
  engine: ResolvedEngine,
  anewWithinMs?: number,
): Promise<number | undefined> {
  const { name, version, threads, precision, convolution } = engine;
  const file = join(root, `rate-${fileWord(`${name} ${version} ${threads} ${precision} ${convolution}`)}.json`);
  try {
    const { flopsPerSecond } = JSON.parse(readFileSync(file, "utf8")) as { flopsPerSecond: number };
    if (flopsPerSecond > 0 && anewWithinMs === undefined) return flopsPerSecond;
  } catch {
    // Not measured yet, or not readable: measure.
  }
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const measuring = promisify(execFile)(
    process.execPath,
    [program, name, String(threads), engine.folder, precision, convolution],
    {
      env: { ...process.env, ...engine.environment },
      ...(anewWithinMs === undefined ? {} : { timeout: anewWithinMs }),
      killSignal: "SIGKILL",
    },
  );
  // An ETA is a courtesy: where it cannot be measured there is none.
  const stdout = await measuring.then(({ stdout: text }) => text).catch(() => "");
  if (stdout === "") return undefined;
  const { flopsPerSecond } = JSON.parse(stdout.trim().split("\n").at(-1)!) as { flopsPerSecond: number };
  try {
    writeFileSync(file, `${JSON.stringify({ flopsPerSecond })}\n`);
  } catch {
    // A cache folder that cannot be written only means measuring again.
  }
  return flopsPerSecond;
}
