/**
 * Which settings an engine can do: asked before anything runs, where a pipeline's line can be shown, and again by each
 * engine as it is made, so that nothing is ever computed otherwise than it was asked for. Light enough for start-up.
 */
import { type EngineName, type EngineOptions, UnsupportedOnEngine } from "./engine.ts";

export type NumericSettings = Pick<EngineOptions, "precision" | "convolution">;

export interface UnsupportedSetting {
  /** The setting to change. */
  readonly setting: "precision" | "convolution";
  /** A value of it that every engine can do. */
  readonly instead: "float32" | "auto";
  /** Engines that can do what was asked. */
  readonly able: readonly EngineName[];
  readonly error: UnsupportedOnEngine;
}

/** Undefined where the engine can do what is set. */
export function unsupportedSetting(
  engine: EngineName,
  { precision, convolution = "auto" }: NumericSettings,
): UnsupportedSetting | undefined {
  const refuse = (setting: "precision" | "convolution", what: string, able: readonly EngineName[]) => ({
    setting,
    instead: setting === "precision" ? ("float32" as const) : ("auto" as const),
    able,
    error: new UnsupportedOnEngine(engine, what, able),
  });
  if (precision !== "float32" && convolution === "winograd")
    return refuse("convolution", `Winograd convolutions in ${precision} precision`, []);
  if (engine === "native") return undefined;
  if (precision !== "float32") return refuse("precision", `${precision} arithmetic`, ["native"]);
  if (convolution === "winograd") return refuse("convolution", "Winograd convolutions", ["native"]);
  return undefined;
}

/** For an engine's `createEngine`: throws `UnsupportedOnEngine` where it cannot do what is set. */
export function refuseUnsupportedSettings(engine: EngineName, settings: NumericSettings): void {
  const unsupported = unsupportedSetting(engine, settings);
  if (unsupported !== undefined) throw unsupported.error;
}
