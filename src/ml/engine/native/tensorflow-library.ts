/**
 * TensorFlow's C library with its headers, brought together in one folder as the addon's build wants it: out of the pinned
 * wheel that pip fetches, or out of a folder that the user names. Nothing else of a wheel is taken, its digest is checked
 * before it is opened, and only names that are expected are ever written.
 */
import { createHash } from "node:crypto";
import {
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { copyFile, cp, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";
import { diagnoseOutput, EngineInstallFailure } from "./install-failure.ts";
import { runCommand } from "./run-command.ts";
import { OLDEST_TENSORFLOW, type Wheel, type WheelSet } from "./wheels.ts";

export interface FileDigest {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface GatheredLibrary {
  /** By file name. */
  readonly libraries: Readonly<Record<string, FileDigest>>;
}

export type ReportBytes = (phase: string, done: number, total: number) => void;

export interface GatherOptions {
  readonly report: ReportBytes;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

// -- out of wheels ----------------------------------------------------------------------------------------------------

const LIBRARY = /^tensorflow\/(libtensorflow(?:_cc|_framework)(?:\.so\.2|\.2\.dylib))$/;
const HEADER = /^tensorflow\/(include\/(?:tensorflow|tsl|xla)\/[\w./+-]+\.(?:h|inc))$/;
const CUDA_LIBRARY = /^nvidia\/[\w]+\/lib\/([\w.+-]+\.so[\w.]*)$/;

/** Fetches the wheels with `pip` (a program with its first arguments) and fills `target/lib` and `target/include`. */
export async function gatherFromWheels(
  wheels: WheelSet,
  pip: readonly [string, ...string[]],
  workFolder: string,
  target: string,
  options: GatherOptions,
): Promise<GatheredLibrary> {
  const libraries: Record<string, FileDigest> = {};
  for (const wheel of [wheels.tensorflow, ...wheels.cuda]) {
    const path = await download(wheel, pip, join(workFolder, wheel.requirement), options);
    Object.assign(libraries, await unpack(path, target, options));
    await rm(path);
  }
  const names = Object.keys(libraries);
  if (!names.some((name) => name.startsWith("libtensorflow_cc.")) || names.length < 2) {
    throw new EngineInstallFailure("library", `the wheel ${wheels.tensorflow.requirement} holds no C library`);
  }
  return { libraries };
}

async function download(
  wheel: Wheel,
  [program, ...first]: readonly [string, ...string[]],
  folder: string,
  { report, environment, signal }: GatherOptions,
): Promise<string> {
  const destination = join(folder, "wheel");
  const temporary = join(folder, "temporary");
  await mkdir(destination, { recursive: true });
  await mkdir(temporary, { recursive: true });
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  const phase = `downloading ${wheel.requirement.replace("==", " ")}`;
  // pip shows no progress that a program could read: watch its files grow.
  const watch = setInterval(() => {
    void folderSize(folder).then((bytes) => report(phase, Math.min(bytes, wheel.sizeBytes || bytes), wheel.sizeBytes));
  }, 200);
  try {
    report(phase, 0, wheel.sizeBytes);
    const { exitCode, output } = await runCommand(
      program,
      [
        ...first,
        ...["download", "--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement", requirements],
        ...[
          "--python-version",
          wheel.python,
          "--implementation",
          "cp",
          "--abi",
          wheel.abi,
          "--platform",
          wheel.platform,
        ],
        ...[
          "--dest",
          destination,
          "--progress-bar",
          "off",
          "--no-input",
          "--disable-pip-version-check",
          "--retries",
          "2",
        ],
      ],
      { environment: { ...environment, TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: "false" }, signal },
    );
    if (exitCode !== 0) throw pipFailure(wheel, exitCode, output);
  } finally {
    clearInterval(watch);
  }
  const name = readdirSync(destination).find((entry) => entry.endsWith(".whl"));
  if (name === undefined) throw pipFailure(wheel, 0, "it left no wheel");
  const path = join(destination, name);
  const { sha256 } = await digestFile(path);
  if (sha256 !== wheel.sha256) {
    throw new EngineInstallFailure(
      "integrity",
      `pip fetched a ${name} with sha256 ${sha256}, and not the pinned ${wheel.sha256}`,
      "look at which package index pip is set to",
    );
  }
  return path;
}

function pipFailure(wheel: Wheel, exitCode: number | undefined, output: string): EngineInstallFailure {
  const missing = diagnoseOutput(output) ?? (exitCode === undefined ? "pip" : "package");
  const said = tellingLine(output);
  switch (missing) {
    case "network":
      return new EngineInstallFailure("network", `pip cannot reach its package index (${said})`, "go online");
    case "integrity":
      return new EngineInstallFailure(
        "integrity",
        `pip found a wheel of ${wheel.requirement} that is not the pinned one`,
        "look at which package index pip is set to",
      );
    case "pip":
      return new EngineInstallFailure("pip", "there is no pip", "install pip");
    case "disk":
      return new EngineInstallFailure("disk", "the disk is full", "make room for 2 GB");
    default:
      return new EngineInstallFailure("package", `pip cannot fetch ${wheel.requirement} (${said})`);
  }
}

async function unpack(wheel: string, target: string, options: GatherOptions): Promise<Record<string, FileDigest>> {
  try {
    return await unpackEntries(wheel, target, options);
  } catch (error) {
    // What the file system refuses has a code, and is told by whoever knows the folder.
    if (options.signal.aborted || !(error instanceof Error) || "code" in error) throw error;
    throw new EngineInstallFailure("library", `${basename(wheel)} cannot be unpacked (${error.message})`);
  }
}

async function unpackEntries(
  wheel: string,
  target: string,
  { report, signal }: GatherOptions,
): Promise<Record<string, FileDigest>> {
  const libraries: Record<string, FileDigest> = {};
  const zip = await openPromise(wheel, { lazyEntries: true });
  const phase = `unpacking ${basename(wheel).split("-").slice(0, 2).join(" ")}`;
  const folders = new Set<string>();
  const total = (await stat(wheel)).size;
  let done = 0;
  for await (const entry of zip.eachEntry()) {
    signal.throwIfAborted();
    done += entry.compressedSize;
    const library = (LIBRARY.exec(entry.fileName) ?? CUDA_LIBRARY.exec(entry.fileName))?.[1];
    const inner = library === undefined ? HEADER.exec(entry.fileName)?.[1] : join("lib", library);
    // yauzl refuses absolute names and `..` by itself; these patterns allow dots within names only.
    if (inner === undefined || inner.split("/").includes("..")) continue;
    const path = join(target, inner);
    if (!folders.has(dirname(path))) mkdirSync(dirname(path), { recursive: true });
    folders.add(dirname(path));
    const meter = digestMeter();
    await pipeline(await zip.openReadStreamPromise(entry), meter.through, createWriteStream(path, { flags: "wx" }), {
      signal,
    });
    if (library !== undefined) libraries[library] = meter.digest();
    report(phase, done, total);
  }
  return libraries;
}

// -- out of a folder --------------------------------------------------------------------------------------------------

export interface LibraryFolder {
  readonly version: string;
  readonly libraries: readonly string[];
  readonly include: string;
}

/**
 * Looks at a folder with TensorFlow's C library: Python's `site-packages/tensorflow`, or one with `lib` and `include` as
 * the official C archives have. Refuses one that is not there, incomplete, or older than 2.15.
 */
export function inspectLibraryFolder(folder: string): LibraryFolder {
  const refuse = (what: string) =>
    new EngineInstallFailure("library", what, "name a folder with TensorFlow's C library and headers, or none");
  if (!existsSync(folder)) throw refuse(`there is no folder ${folder}`);
  const mac = process.platform === "darwin";
  const named = (stem: string) => (mac ? `${stem}.2.dylib` : `${stem}.so.2`);
  const libraryFolder = [folder, join(folder, "lib"), join(folder, "tensorflow")].find((candidate) =>
    existsSync(join(candidate, named("libtensorflow_framework"))),
  );
  const main = ["libtensorflow_cc", "libtensorflow"]
    .map((stem) => join(libraryFolder ?? folder, named(stem)))
    .find((path) => existsSync(path));
  if (libraryFolder === undefined || main === undefined) {
    throw refuse(
      `${folder} holds no ${named("libtensorflow_cc")} (or ${named("libtensorflow")}) and ${named("libtensorflow_framework")}`,
    );
  }
  const include = [join(libraryFolder, "include"), join(folder, "include")].find((candidate) =>
    existsSync(join(candidate, "tensorflow", "c", "c_api.h")),
  );
  if (include === undefined) throw refuse(`${folder} holds no include/tensorflow/c/c_api.h`);
  const version = readVersion(include);
  if (version === undefined) throw refuse(`${include} does not say which version of TensorFlow it is`);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_TENSORFLOW.split(".").map(Number);
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw refuse(
      `${folder} holds TensorFlow ${version}, and ${OLDEST_TENSORFLOW} or newer is needed (older ones cannot train grouped convolutions)`,
    );
  }
  return { version, libraries: [main, join(libraryFolder, named("libtensorflow_framework"))], include };
}

/** Copies (by reference where the file system can), so that the folder may change or go afterwards. */
export async function gatherFromFolder(
  found: LibraryFolder,
  target: string,
  { report, signal }: GatherOptions,
): Promise<GatheredLibrary> {
  const libraries: Record<string, FileDigest> = {};
  await mkdir(join(target, "lib"), { recursive: true });
  for (const [i, path] of found.libraries.entries()) {
    signal.throwIfAborted();
    report("copying TensorFlow", i, found.libraries.length);
    const copy = join(target, "lib", basename(path));
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    libraries[basename(path)] = await digestFile(copy);
  }
  for (const name of ["tensorflow", "tsl", "xla"]) {
    const from = join(found.include, name);
    if (existsSync(from)) await cp(from, join(target, "include", name), { recursive: true, dereference: true });
  }
  return { libraries };
}

function readVersion(include: string): string | undefined {
  for (const name of ["version.h", "release_version.h"]) {
    try {
      const text = readFileSync(join(include, "tensorflow", "core", "public", name), "utf8");
      const parts = ["MAJOR", "MINOR", "PATCH"].map(
        (part) => new RegExp(`#define TF_${part}_VERSION (\\d+)`).exec(text)?.[1],
      );
      if (parts.every((part) => part !== undefined)) return parts.join(".");
    } catch {
      // The next place.
    }
  }
  return undefined;
}

// -- files ------------------------------------------------------------------------------------------------------------

export async function digestFile(path: string): Promise<FileDigest> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(piece as Buffer);
    sizeBytes += (piece as Buffer).length;
  }
  return { sizeBytes, sha256: hash.digest("hex") };
}

function digestMeter(): { through: Transform; digest: () => FileDigest } {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const through = new Transform({
    transform(piece: Buffer, _encoding, next) {
      hash.update(piece);
      sizeBytes += piece.length;
      next(undefined, piece);
    },
  });
  return { through, digest: () => ({ sizeBytes, sha256: hash.digest("hex") }) };
}

/** Bytes of all files in a folder, as far as they can be seen while someone writes there. */
async function folderSize(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      bytes += await stat(join(entry.parentPath ?? entry.path, entry.name)).then(
        ({ size }) => size,
        () => 0,
      );
    }
  } catch {
    // Moved while we looked.
  }
  return bytes;
}

/** The line of a program's output that says what went wrong, for a message. */
export function tellingLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return (lines.find((line) => /\berror\b/i.test(line)) ?? lines.at(-1) ?? "no output").trim().slice(0, 300);
}
