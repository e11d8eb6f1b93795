import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listEngines, resolveEngine } from "../../../src/ml/engine/catalogue.ts";
import { findVulkanDrivers } from "../../../src/ml/engine/webgpu/vulkan-drivers.ts";
import { temporaryFolder } from "../../bundle-worker.ts";

let root: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  root = temporaryFolder();
});
afterEach(() => root.remove());

function place(...path: readonly string[]): string {
  const file = join(root.path, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "{}");
  return file;
}

test("Vulkan drivers are found where the loader looks for them", () => {
  const own = place("home", ".local", "share", "vulkan", "icd.d", "mine.json");
  const system = place("usr", "vulkan", "icd.d", "nvidia_icd.json");
  place("usr", "vulkan", "icd.d", "README");
  const environment = { XDG_DATA_DIRS: join(root.path, "usr"), XDG_CONFIG_DIRS: root.path };
  const found = findVulkanDrivers(environment, join(root.path, "home"));
  expect(found.filter((path) => path.startsWith(root.path))).toEqual([own, system]);
});

test("drivers named in the environment take the place of all others, and one that is not there is none", () => {
  const one = place("one.json");
  const folder = join(place("more", "two.json"), "..");
  expect(findVulkanDrivers({ VK_ICD_FILENAMES: `${one}:${folder}` })).toEqual([join(folder, "two.json"), one].sort());
  expect(findVulkanDrivers({ VK_DRIVER_FILES: join(root.path, "gone.json"), VK_ICD_FILENAMES: one })).toEqual([]);
});

test("the webgpu engine is listed, and where it cannot be used with the reason and a way out", () => {
  const entry = listEngines(root.path).find(({ name }) => name === "webgpu")!;
  if (entry.available) expect(entry.version).toBe("TensorFlow.js webgpu 4.22.0");
  else expect([entry.problem, entry.help].join(" ")).toMatch(/package|Dawn|Vulkan/);
  const choice = resolveEngine("webgpu", root.path);
  expect("problem" in choice).toBe(!entry.available);
});

test("auto never picks webgpu", () => {
  expect(resolveEngine("auto", root.path)).toMatchObject({ name: "wasm" });
});
