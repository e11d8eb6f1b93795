/**
 * What stages compute on where a lock is checked: the engine that it was locked with. What the pipeline says of threads,
 * precision and convolutions counts; which library a machine has is a note, and none need be installed.
 */
import type { EnginePort, ResolvedEngine } from "../execute/engine-port.ts";
import type { LockedResults } from "../identity/lock.ts";
import type { EngineSetting, Pipeline } from "../language/pipeline.ts";

export interface LockedEngines {
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  /** Where this machine would compute on something else: each once. */
  readonly notes: readonly string[];
}

export function findLockedEngines(
  port: Pick<EnginePort, "resolve">,
  { stages }: Pipeline,
  locked: LockedResults,
): LockedEngines {
  const engines = new Map<string, ResolvedEngine>();
  const notes = new Set<string>();
  const resolve = resolveOnce(port);
  for (const { name, engine: setting } of stages) {
    if (setting === undefined) continue;
    const numerics = Object.hasOwn(locked.stages, name) ? locked.stages[name]!.key.numerics : {};
    const engine = lockedEngine(setting, numerics, resolve, notes);
    if (engine !== undefined) engines.set(name, engine);
  }
  return { engines, notes: [...notes] };
}

/** Undefined where neither the lock nor the machine knows one. */
function lockedEngine(
  setting: EngineSetting,
  numerics: Readonly<Record<string, string>>,
  resolve: EnginePort["resolve"],
  notes: Set<string>,
): ResolvedEngine | undefined {
  const lockedName = ENGINES.find((name) => name === numerics.engine);
  const name = setting.name === "auto" ? lockedName : setting.name;
  const here = resolve({ ...setting, name: name ?? "auto" });
  if (name === undefined || lockedName !== name) {
    if (!("problem" in here)) return here;
    return name === undefined ? undefined : stand(setting, name, numerics);
  }
  // wasm and cpu come with the package, so another version is another package: that the repository has made.
  if (PACKAGED.includes(name) && !("problem" in here)) {
    noteOther(setting, here, resolve, notes);
    return here;
  }
  const version = numerics.version ?? "";
  if ("problem" in here && here.setting !== undefined) return stand(setting, name, numerics);
  if ("problem" in here) notes.add(`locked on ${name} ${version}, which is not installed here`);
  else if (here.version !== version) notes.add(`locked on ${name} ${version}; here it is ${here.version}`);
  else noteOther(setting, here, resolve, notes);
  return stand(setting, name, numerics);
}

const ENGINES = ["native", "webgpu", "wasm", "cpu"] as const;
const PACKAGED: readonly string[] = ["wasm", "cpu"];
/** What every engine has, and the pipeline or the machine says. */
const SETTINGS: readonly string[] = ["engine", "version", "threads", "precision", "convolution"];

/** What `auto` would be here. */
function noteOther(
  setting: EngineSetting,
  locked: ResolvedEngine,
  resolve: EnginePort["resolve"],
  notes: Set<string>,
): void {
  if (setting.name !== "auto") return;
  const here = resolve(setting);
  if (!("problem" in here) && here.name !== locked.name)
    notes.add(`locked on ${locked.name} ${locked.version}; here auto is ${here.name} ${here.version}`);
}

/**
 * An engine that only enters keys. What it is told beside the pipeline's settings is as it was locked: that is said by its
 * code, which counts as code.
 */
function stand(
  { threads, precision, convolution }: EngineSetting,
  name: ResolvedEngine["name"],
  locked: Readonly<Record<string, string>>,
): ResolvedEngine {
  const { version = "" } = locked;
  const numerics = Object.fromEntries(Object.entries(locked).filter(([member]) => !SETTINGS.includes(member)));
  return { name, version, folder: "", build: "", threads, precision, convolution, numerics, environment: {} };
}

function resolveOnce(port: Pick<EnginePort, "resolve">): EnginePort["resolve"] {
  const known = new Map<string, ReturnType<EnginePort["resolve"]>>();
  return (setting) => {
    const key = JSON.stringify(setting);
    const found = known.get(key) ?? port.resolve(setting);
    known.set(key, found);
    return found;
  };
}
