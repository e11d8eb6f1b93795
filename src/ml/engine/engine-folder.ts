/**
 * Where engines are kept, and what a folder there says about itself. Read at every start of the program, so this reads
 * two small files and loads nothing else; an engine's folder is complete when it exists, for it is renamed into place.
 *
 *     <root>/native-tfjs4.22.0-tf2.18.1-abi115-linux-x64-cpu/manifest.json, node_modules/...
 *     <root>/native-abi115-linux-x64.json             which of these folders is used: { "folder": "native-..." }
 *     <root>/native-abi115-linux-x64.refused.json     why the last attempt to install one failed
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** `manifest.json` in an engine folder. */
export interface EngineManifest {
  readonly format: "tfpipe/engine/1";
  readonly name: "native";
  readonly device: "cpu" | "gpu";
  readonly tfjsNode: string;
  readonly tensorflow: string;
  readonly nodeAbi: string;
  readonly platform: string;
  readonly architecture: string;
  readonly source:
    | { readonly kind: "wheel"; readonly file: string; readonly sha256: string }
    | { readonly kind: "folder"; readonly folder: string };
  /** By file name. */
  readonly libraries: Readonly<Record<string, { readonly sizeBytes: number; readonly sha256: string }>>;
}

export type EngineManifestKey = Pick<
  EngineManifest,
  "device" | "tfjsNode" | "tensorflow" | "nodeAbi" | "platform" | "architecture"
>;

/** Why an installation failed, as the next command wants to tell it. */
export interface InstallRefusal {
  readonly missing: string;
  readonly message: string;
  readonly help: string;
}

/** The per-user folder: $TFPIPE_HOME/engines, else under $XDG_CACHE_HOME/tfpipe, ~/Library/Caches/tfpipe or ~/.cache/tfpipe. */
export function engineRoot(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string {
  const cache =
    environment.TFPIPE_HOME ||
    (environment.XDG_CACHE_HOME
      ? join(environment.XDG_CACHE_HOME, "tfpipe")
      : join(home, ...(platform === "darwin" ? ["Library", "Caches"] : [".cache"]), "tfpipe"));
  return join(cache, "engines");
}

export function engineFolderName(key: EngineManifestKey): string {
  const { device, tfjsNode, tensorflow, nodeAbi, platform, architecture } = key;
  return `native-tfjs${tfjsNode}-tf${tensorflow}-abi${nodeAbi}-${platform}-${architecture}-${device}`;
}

/** The manifest of a complete engine folder that fits this Node and machine, or undefined. */
export function readManifest(folder: string): EngineManifest | undefined {
  const manifest = readJson(join(folder, "manifest.json")) as EngineManifest | undefined;
  const fits =
    manifest?.format === "tfpipe/engine/1" &&
    manifest.nodeAbi === process.versions.modules &&
    manifest.platform === process.platform &&
    manifest.architecture === process.arch;
  return fits ? manifest : undefined;
}

export interface InstalledEngine {
  readonly folder: string;
  readonly manifest: EngineManifest;
}

/** The native engine that this Node uses, or undefined where none is installed. */
export function findInstalled(root: string): InstalledEngine | undefined {
  const chosen = readJson(join(root, `${hostName()}.json`)) as { folder?: unknown } | undefined;
  if (typeof chosen?.folder !== "string") return undefined;
  const folder = join(root, chosen.folder);
  const manifest = readManifest(folder);
  return manifest === undefined ? undefined : { folder, manifest };
}

/** Makes a complete folder the one that is used, and forgets earlier refusals. */
export function chooseInstalled(root: string, folderName: string): void {
  writeJson(join(root, `${hostName()}.json`), { folder: folderName });
  rmSync(join(root, `${hostName()}.refused.json`), { force: true });
}

export function readRefusal(root: string): InstallRefusal | undefined {
  return readJson(join(root, `${hostName()}.refused.json`)) as InstallRefusal | undefined;
}

/** Quiet where nothing can be written: the refusal is then told again. */
export function recordRefusal(root: string, { missing, message, help }: InstallRefusal): void {
  try {
    mkdirSync(root, { recursive: true });
    writeJson(join(root, `${hostName()}.refused.json`), { missing, message, help });
  } catch {
    // A cache folder that cannot be written may well be what is refused.
  }
}

/** What of Node and machine an addon depends on. */
function hostName(): string {
  return `native-abi${process.versions.modules}-${process.platform}-${process.arch}`;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(value)}\n`);
  renameSync(temporary, path);
}
