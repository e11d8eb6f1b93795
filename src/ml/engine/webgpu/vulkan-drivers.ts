/** Which Vulkan drivers this machine declares, as Vulkan's loader looks for them on Linux: files alone, nothing is loaded. */
import { readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Paths of the drivers' manifests (`nvidia_icd.json`), sorted. VK_DRIVER_FILES or VK_ICD_FILENAMES name files or folders
 * and replace the folders that are looked through otherwise.
 */
export function findVulkanDrivers(environment: Environment = process.env, home: string = homedir()): readonly string[] {
  const named = environment.VK_DRIVER_FILES || environment.VK_ICD_FILENAMES;
  const places = named ? named.split(":") : searchFolders(environment, home);
  return [...new Set(places.filter((place) => place !== "").flatMap(manifestsAt))].sort();
}

/** By which Vulkan's loader finds itself and its drivers; a process that computes has no more of the user's environment. */
const VARIABLES = [
  "LD_LIBRARY_PATH",
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
  "XDG_CONFIG_HOME",
  "XDG_CONFIG_DIRS",
  "XDG_DATA_HOME",
  "XDG_DATA_DIRS",
  "XDG_RUNTIME_DIR",
] as const;

/** What a process that loads the webgpu engine must have in its environment. */
export function webgpuEnvironment(environment: Environment = process.env): Readonly<Record<string, string>> {
  return Object.fromEntries(VARIABLES.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

function searchFolders(environment: Environment, home: string): readonly string[] {
  const { XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = environment;
  const roots = [
    XDG_CONFIG_HOME || join(home, ".config"),
    ...(XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
    "/etc",
    XDG_DATA_HOME || join(home, ".local", "share"),
    ...(XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":"),
  ];
  return roots.map((root) => join(root, "vulkan", "icd.d"));
}

function manifestsAt(place: string): readonly string[] {
  try {
    if (!statSync(place).isDirectory()) return [place];
    return readdirSync(place)
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(place, name));
  } catch {
    // Not there, or not readable: the loader passes over it too.
    return [];
  }
}
