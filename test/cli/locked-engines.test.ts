/** What stages compute on where a lock is checked, on machines that have other engines, or none. */
import { expect, test } from "vitest";
import { findLockedEngines } from "../../src/cli/locked-engines.ts";
import type { EnginePort } from "../../src/execute/engine-port.ts";
import type { LockedResults } from "../../src/identity/lock.ts";
import type { EngineSetting, Pipeline } from "../../src/language/pipeline.ts";

/** A machine that has these engines, by version; `auto` is the first. */
function machine(versions: Readonly<Record<string, string>>): Pick<EnginePort, "resolve"> {
  return {
    resolve(setting) {
      const name = (setting.name === "auto" ? Object.keys(versions)[0]! : setting.name) as "native";
      const version = versions[name];
      if (version === undefined) return { problem: "it is not installed", help: "install it" };
      const { threads, precision, convolution } = setting;
      return { name, version, folder: "/engine", build: "b", threads, precision, convolution, environment: {} };
    },
  };
}

function find(
  name: EngineSetting["name"],
  versions: Readonly<Record<string, string>>,
  locked: readonly [string, string],
) {
  const engine: EngineSetting = { name, threads: 4, precision: "float32", convolution: "auto" };
  const own = { engine: locked[0], version: locked[1], threads: "2", precision: "float32", convolution: "auto" };
  const numerics = locked[0] === "native" ? { ...own, oneDnn: "on" } : own;
  const { engines, notes } = findLockedEngines(
    machine(versions),
    { stages: [{ name: "train", engine }] } as unknown as Pipeline,
    { profiles: [], stages: { train: { key: { numerics } } } } as unknown as LockedResults,
  );
  const found = engines.get("train");
  return {
    engine: found && `${found.name} ${found.version} ${found.threads}`,
    ...(found?.numerics !== undefined && Object.keys(found.numerics).length > 0 && { told: found.numerics }),
    notes,
  };
}

const WASM = { wasm: "4.22.0" };
const NATIVE = { native: "TensorFlow 2.18.1", ...WASM };

test("where no engine is installed, auto is what is locked, with the pipeline's own settings, and a note", () => {
  expect(find("auto", WASM, ["native", "TensorFlow 2.18.1"])).toEqual({
    engine: "native TensorFlow 2.18.1 4",
    told: { oneDnn: "on" },
    notes: ["locked on native TensorFlow 2.18.1, which is not installed here"],
  });
});

test("another version of the machine's library is a note", () => {
  expect(find("native", NATIVE, ["native", "TensorFlow 2.15.0"])).toEqual({
    engine: "native TensorFlow 2.15.0 4",
    told: { oneDnn: "on" },
    notes: ["locked on native TensorFlow 2.15.0; here it is TensorFlow 2.18.1"],
  });
});

test("another version of an engine that is a package counts: the repository has made it", () => {
  expect(find("wasm", WASM, ["wasm", "4.21.0"])).toEqual({ engine: "wasm 4.22.0 4", notes: [] });
});

test("where auto would be another engine, what is locked counts, and a note says so", () => {
  expect(find("auto", NATIVE, ["wasm", "4.22.0"])).toEqual({
    engine: "wasm 4.22.0 4",
    notes: ["locked on wasm 4.22.0; here auto is native TensorFlow 2.18.1"],
  });
});

test("another engine in the pipeline counts, installed or not", () => {
  expect(find("wasm", NATIVE, ["native", "TensorFlow 2.18.1"]).engine).toBe("wasm 4.22.0 4");
  expect(find("native", WASM, ["wasm", "4.22.0"]).engine).toBe("native 4.22.0 4");
});

test("the same engine here is no word worth", () => {
  expect(find("auto", NATIVE, ["native", "TensorFlow 2.18.1"]).notes).toEqual([]);
});
