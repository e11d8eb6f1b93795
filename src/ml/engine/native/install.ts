/**
 * Puts the native engine on this machine: TensorFlow's C library, the addon compiled against it, and the proof that both
 * train. It is built in a temporary folder and renamed into place when all of that is done, so an engine folder that
 * exists is complete. The folder's name holds every version that matters; a second installation finds it and does nothing.
 */

import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { processIdentity } from "../../../platform/process-tree.ts";
import { acquireWorkLock } from "../../../platform/work-lock.ts";
import {
  chooseInstalled,
  type EngineManifest,
  type EngineManifestKey,
  engineFolderName,
  readManifest,
  recordRefusal,
} from "../engine-folder.ts";
import type { SelfTestResult } from "../self-test.ts";
import {
  ADDON_PACKAGES,
  buildAddon,
  commandEnvironment,
  findBuildTools,
  findPip,
  installAddonPackage,
  TFJS_NODE_VERSION,
} from "./addon-build.ts";
import { EngineInstallFailure } from "./install-failure.ts";
import {
  digestFile,
  type GatheredLibrary,
  gatherFromFolder,
  gatherFromWheels,
  inspectLibraryFolder,
  type LibraryFolder,
} from "./tensorflow-library.ts";
import { TENSORFLOW_VERSION, type WheelSet, wheelsFor } from "./wheels.ts";

export { EngineInstallFailure } from "./install-failure.ts";

/** How far an installation is, such as `{ phase: "downloading tensorflow-cpu 2.18.1", done, total, unit: "bytes" }`. */
export interface InstallProgress {
  readonly phase: string;
  readonly done: number;
  readonly total?: number;
  readonly unit: string;
}

export interface InstallOptions {
  /** Where engines are kept: `engineRoot()`. */
  readonly root: string;
  /** With CUDA (Linux on x64). Where there is no NVIDIA GPU the CPU's library is installed, and `note` says so. */
  readonly gpu?: boolean;
  /** A folder with TensorFlow's C library and headers, instead of the pinned wheel. */
  readonly libraryFolder?: string;
  readonly onProgress: (progress: InstallProgress) => void;
  readonly signal: AbortSignal;
  /** Tests the engine in a folder, in a process of its own: `selfTestInProcess`. */
  readonly selfTest: (folder: string) => Promise<SelfTestResult>;
  /** Of the programs that are started; left out: this process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Left out: the pinned ones for this machine. */
  readonly wheels?: WheelSet;
}

export interface InstalledNative {
  readonly folder: string;
  readonly manifest: EngineManifest;
  /** What was done otherwise than asked. */
  readonly note?: string;
}

/** Throws `EngineInstallFailure` where the native engine cannot be had, and the signal's reason when it is aborted. */
export async function installNativeEngine(options: InstallOptions): Promise<InstalledNative> {
  try {
    const { device, note } = chooseDevice(options.gpu === true);
    const installed = await installFor(device, options);
    return note === undefined ? installed : { ...installed, note };
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    const failure = asFailure(error, options.root);
    if (failure === undefined) throw error;
    // A slip in what the user named says nothing about the installation that is done by itself.
    if (options.libraryFolder === undefined && options.gpu !== true) recordRefusal(options.root, failure);
    throw failure;
  }
}

/** What the library is to be, before it is fetched. */
type Source = { readonly folder: string; readonly found: LibraryFolder } | { readonly wheels: WheelSet };

async function installFor(device: "cpu" | "gpu", options: InstallOptions): Promise<InstalledNative> {
  const { root, onProgress, signal } = options;
  const source = chooseSource(device, options);
  const key: EngineManifestKey = {
    device,
    tfjsNode: TFJS_NODE_VERSION,
    tensorflow: "found" in source ? source.found.version : TENSORFLOW_VERSION,
    nodeAbi: process.versions.modules,
    platform: process.platform,
    architecture: process.arch,
  };
  // Two libraries of one version, of which at least one is the user's own, are told apart by their bytes.
  const build = "found" in source ? `-${(await digestFile(source.found.libraries[1]!)).sha256.slice(0, 8)}` : "";
  const name = `${engineFolderName(key)}${build}`;
  const folder = join(root, name);

  const finish = (manifest: EngineManifest): InstalledNative => {
    chooseInstalled(root, name);
    return { folder, manifest };
  };
  const verified = async (): Promise<EngineManifest | undefined> => {
    const manifest = readManifest(folder);
    if (manifest === undefined) return undefined;
    onProgress({ phase: "testing", done: 0, unit: "" });
    return (await options.selfTest(folder)).ok ? manifest : undefined;
  };

  const present = await verified();
  if (present !== undefined) return finish(present);
  mkdirSync(root, { recursive: true });
  const damaged = existsSync(folder);
  const lock = await acquireWorkLock(`${folder}.lock`, {
    done: () => !damaged && readManifest(folder) !== undefined,
    onWait: (pid) => onProgress({ phase: `waiting for the installation of process ${pid}`, done: 0, unit: "" }),
    signal,
  });
  try {
    // Another process may have finished it while we waited.
    const meanwhile = lock === undefined || !damaged ? readManifest(folder) : await verified();
    if (meanwhile !== undefined) return finish(meanwhile);
    removeAbandoned(root);
    const temporary = join(root, `.installing-${process.pid}-${randomUUID()}`);
    await mkdir(temporary);
    // make cannot work where a path has a space.
    const elsewhere = /\s/.test(temporary) ? await mkdtemp(join(tmpdir(), "tfpipe-addon-")) : undefined;
    try {
      const manifest = await buildEngine(key, source, temporary, elsewhere ?? join(temporary, "addon"), options);
      await moveIntoPlace(join(temporary, "engine"), folder, damaged);
      return finish(manifest);
    } finally {
      for (const each of [temporary, elsewhere])
        if (each !== undefined) await rm(each, { recursive: true, force: true });
    }
  } finally {
    lock?.release();
  }
}

/** Fills `temporary/engine`; the addon is compiled in `folder`. */
async function buildEngine(
  key: EngineManifestKey,
  source: Source,
  temporary: string,
  folder: string,
  { environment = process.env, onProgress, selfTest, signal }: InstallOptions,
): Promise<EngineManifest> {
  const addon = ADDON_PACKAGES[key.device];
  const library = join(temporary, "library");
  const engine = join(temporary, "engine");
  onProgress({ phase: "looking for a compiler and pip", done: 0, unit: "" });
  const tools = await findBuildTools({ environment: commandEnvironment(environment), signal });
  const pip = "wheels" in source ? await findPip(tools.python, { environment: tools.environment, signal }) : undefined;

  // The two downloads go on together; when one fails, the other is not worth finishing.
  const giveUp = new AbortController();
  const either = AbortSignal.any([signal, giveUp.signal]);
  const gatherOptions = {
    report: (phase: string, done: number, total: number) =>
      onProgress({ phase, done, ...(total > 0 ? { total } : {}), unit: "found" in source ? "files" : "bytes" }),
    environment: tools.environment,
    signal: either,
  };
  const gather = (): Promise<GatheredLibrary> =>
    "found" in source
      ? gatherFromFolder(source.found, library, gatherOptions)
      : gatherFromWheels(source.wheels, pip!, join(temporary, "wheels"), library, gatherOptions);
  const [gathered] = await settleTogether(giveUp, [
    gather(),
    installAddonPackage(addon, folder, { environment: tools.environment, signal: either }),
  ]);

  onProgress({ phase: "compiling the addon", done: 0, unit: "" });
  await buildAddon(addon, folder, library, engine, { environment: tools.environment, signal });
  onProgress({ phase: "testing", done: 0, unit: "" });
  const test = await selfTest(engine);
  if (!test.ok)
    throw new EngineInstallFailure("self-test", `it was built but does not compute rightly: ${test.problem}`);

  const manifest: EngineManifest = {
    format: "tfpipe/engine/1",
    name: "native",
    ...key,
    source:
      "found" in source
        ? { kind: "folder", folder: source.folder }
        : {
            kind: "wheel",
            file: source.wheels.tensorflow.requirement,
            sha256: source.wheels.tensorflow.sha256,
          },
    libraries: gathered.libraries,
  };
  await writeFile(join(engine, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}

/** Waits for both, whatever happens, and throws what failed first. */
async function settleTogether<A, B>(giveUp: AbortController, [a, b]: [Promise<A>, Promise<B>]): Promise<[A, B]> {
  let first: { readonly error: unknown } | undefined;
  const watch = async <T>(promise: Promise<T>): Promise<T | undefined> => {
    try {
      return await promise;
    } catch (error) {
      first ??= { error };
      giveUp.abort();
      return undefined;
    }
  };
  const [left, right] = await Promise.all([watch(a), watch(b)]);
  if (first !== undefined) throw first.error;
  return [left as A, right as B];
}

async function moveIntoPlace(engine: string, folder: string, damaged: boolean): Promise<void> {
  if (damaged) {
    const aside = `${engine}-damaged`;
    await rename(folder, aside).catch(() => {});
  }
  try {
    await rename(engine, folder);
  } catch (error) {
    // Another installation was there first, and its folder is as good.
    if (readManifest(folder) === undefined) throw error;
  }
}

function chooseSource(device: "cpu" | "gpu", { libraryFolder, wheels }: InstallOptions): Source {
  if (process.platform === "win32") {
    throw new EngineInstallFailure("platform", "TensorFlow has no C library for Windows that is new enough", "use WSL");
  }
  if (libraryFolder !== undefined) {
    const folder = resolve(libraryFolder);
    return { folder, found: inspectLibraryFolder(folder) };
  }
  const help = "name a folder with its C library (`--dir`)";
  const pinned = wheels ?? wheelsFor(process.platform, process.arch, device);
  if (pinned === undefined) {
    throw new EngineInstallFailure(
      "platform",
      `TensorFlow has no wheel for ${process.platform} on ${process.arch}`,
      help,
    );
  }
  if (process.platform === "linux" && isMusl()) {
    throw new EngineInstallFailure("platform", "TensorFlow's wheels need glibc, and this system has musl", help);
  }
  return { wheels: pinned };
}

function isMusl(): boolean {
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime === undefined;
}

function chooseDevice(gpu: boolean): { device: "cpu" | "gpu"; note?: string } {
  if (!gpu) return { device: "cpu" };
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new EngineInstallFailure("platform", "TensorFlow has CUDA only for Linux on x64", "leave out --gpu");
  }
  if (existsSync("/dev/nvidia0") || existsSync("/proc/driver/nvidia/version")) return { device: "gpu" };
  return { device: "cpu", note: "there is no NVIDIA GPU on this machine: the engine was installed for the CPU" };
}

/** Folders that a killed installation left. Recent ones are spared: their process may live on another host. */
function removeAbandoned(root: string): void {
  for (const entry of readdirSync(root)) {
    const pid = /^\.installing-(\d+)-/.exec(entry)?.[1];
    if (pid === undefined || processIdentity(Number(pid)) !== undefined) continue;
    const path = join(root, entry);
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
}

const ABANDONED_MS = 3_600_000;

/** The world's refusals that come as errors of the file system. */
function asFailure(error: unknown, root: string): EngineInstallFailure | undefined {
  if (error instanceof EngineInstallFailure) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new EngineInstallFailure("disk", `the disk is full (${root})`, "make room for 2 GB");
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new EngineInstallFailure("disk", `${root} cannot be written`, "set TFPIPE_HOME to a folder that can");
    default:
      return undefined;
  }
}
