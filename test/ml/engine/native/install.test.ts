import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listEngines, resolveEngine } from "../../../../src/ml/engine/catalogue.ts";
import { findInstalled, readRefusal } from "../../../../src/ml/engine/engine-folder.ts";
import { ADDON_PACKAGES } from "../../../../src/ml/engine/native/addon-build.ts";
import { EngineInstallFailure } from "../../../../src/ml/engine/native/install.ts";
import { wheelsFor } from "../../../../src/ml/engine/native/wheels.ts";
import { FakeMachine } from "./fake-machine.ts";

let machine: FakeMachine;

beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(() => machine.remove());

const failureOf = async (installation: Promise<unknown>): Promise<EngineInstallFailure> => {
  const error = await installation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EngineInstallFailure);
  return error as EngineInstallFailure;
};

describe("an installation", () => {
  test("leaves a complete engine and nothing else", async () => {
    const { folder, manifest } = await machine.install();
    expect(findInstalled(machine.root)).toEqual({ folder, manifest });
    expect(manifest.source).toMatchObject({ kind: "wheel", file: "tensorflow-cpu==2.18.1" });
    expect(Object.keys(manifest.libraries)).toHaveLength(2);
    const inside = readdirSync(join(folder, "node_modules", ADDON_PACKAGES.cpu.name), { recursive: true });
    expect(inside).toContain(join("lib", "napi-v8", "tfjs_binding.node"));
    expect(inside.filter((name) => /include|build|unrelated|run\.py/.test(String(name)))).toEqual([]);
    expect(readdirSync(machine.root).filter((name) => /installing|lock/.test(name))).toEqual([]);
  });

  test("works where the cache folder's path has a space, which make cannot stand", async () => {
    const root = join(machine.folder, "a cache", "engines");
    const { folder } = await machine.install({ root });
    const addon = join(folder, "node_modules", ADDON_PACKAGES.cpu.name);
    expect(existsSync(join(addon, "lib", "napi-v8", "tfjs_binding.node"))).toBe(true);
    expect(lstatSync(join(addon, "deps")).isDirectory()).toBe(true);
    expect(machine.buildFolders()).toEqual([expect.not.stringMatching(/\s/)]);
  });

  test("is done once", async () => {
    await machine.install();
    const calls = machine.calls();
    await machine.install();
    expect(machine.calls()).toEqual(calls);
  });

  test("makes auto choose the native engine, with TensorFlow's version", async () => {
    expect(resolveEngine("auto", machine.root)).toMatchObject({ name: "wasm" });
    const { folder } = await machine.install();
    expect(resolveEngine("auto", machine.root)).toEqual({ name: "native", version: "TensorFlow 2.18.1", folder });
  });

  test("repairs an engine that no longer passes its test", async () => {
    const { folder } = await machine.install();
    const addon = join(folder, "node_modules", ADDON_PACKAGES.cpu.name, "lib/napi-v8/tfjs_binding.node");
    rmSync(addon);
    await machine.install();
    expect(existsSync(addon)).toBe(true);
  });

  test("tells how far it is", async () => {
    const phases = new Set<string>();
    await machine.install({ onProgress: ({ phase }) => phases.add(phase) });
    expect([...phases]).toEqual([
      "looking for a compiler and pip",
      "downloading tensorflow-cpu 2.18.1",
      "unpacking tensorflow_cpu 2.18.1",
      "compiling the addon",
      "testing",
    ]);
  });

  test("takes TensorFlow from a folder that the user names", async () => {
    const libraryFolder = machine.libraryFolder("2.15.1");
    const { manifest } = await machine.install({ libraryFolder });
    expect(manifest).toMatchObject({ tensorflow: "2.15.1", source: { kind: "folder", folder: libraryFolder } });
    expect(machine.calls()).not.toContain("pip download");
    expect(resolveEngine("native", machine.root)).toMatchObject({ version: "TensorFlow 2.15.1" });
  });
});

test.skipIf(process.platform !== "linux" || process.arch !== "x64" || existsSync("/dev/nvidia0"))(
  "an installation for a GPU on a machine without one installs for the CPU, and says so",
  async () => {
    const { manifest, note } = await machine.install({ gpu: true });
    expect(manifest.device).toBe("cpu");
    expect(note).toMatch(/no NVIDIA GPU .* installed for the CPU/);
  },
);

test("every machine with a wheel has it pinned, and CUDA is pinned for Linux on x64 alone", () => {
  for (const [platform, architecture] of [
    ["linux", "x64"],
    ["linux", "arm64"],
    ["darwin", "arm64"],
  ] as const) {
    expect(wheelsFor(platform, architecture, "cpu")?.tensorflow.sha256).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(wheelsFor("win32", "x64", "cpu")).toBeUndefined();
  expect(wheelsFor("darwin", "arm64", "gpu")).toBeUndefined();
  const cuda = wheelsFor("linux", "x64", "gpu")!.cuda;
  expect(cuda.every(({ sha256, requirement }) => /^[0-9a-f]{64}$/.test(sha256) && requirement.includes("=="))).toBe(
    true,
  );
});

describe("two installations at once", () => {
  test("download once, and both have the engine", async () => {
    const waits: string[] = [];
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase.startsWith("waiting")) waits.push(phase);
    };
    const [first, second] = await Promise.all([machine.install({ onProgress }), machine.install({ onProgress })]);
    expect(second.folder).toBe(first.folder);
    expect(machine.calls().filter((call) => call === "pip download")).toHaveLength(1);
    expect(waits.length).toBeGreaterThan(0);
  });

  test("are both right when one is finished while the other still builds", async () => {
    // The other one's whole installation happens inside this one's last step.
    let nested: Promise<{ folder: string }> | undefined;
    const { folder } = await machine.install({
      selfTest: async () => {
        if (nested === undefined) {
          for (const name of readdirSync(machine.root)) if (name.endsWith(".lock")) deadLock(join(machine.root, name));
          nested = machine.install();
          await nested;
        }
        return { ok: true, ms: 1 };
      },
    });
    expect((await nested)?.folder).toBe(folder);
    expect(findInstalled(machine.root)?.folder).toBe(folder);
  });

  test("a lock whose holder is gone holds nobody up", async () => {
    const { folder } = await machine.install();
    rmSync(folder, { recursive: true });
    deadLock(`${folder}.lock`);
    await machine.install();
    expect(existsSync(folder)).toBe(true);
  });

  function deadLock(path: string): void {
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, JSON.stringify({ pid: 2 ** 22 + 1, identity: "1", host: hostname() }));
  }
});

describe("an installation that cannot be done", () => {
  test.each([
    ["npm", () => machine.removeProgram("npm"), /there is no npm/],
    ["compiler", () => machine.removeProgram("g++", "clang++"), /there is no C\+\+ compiler/],
    ["compiler", () => machine.removeProgram("make"), /there is no make/],
    ["python", () => machine.removeProgram("python3"), /there is no python3/],
    ["pip", () => machine.program("python3", `if (args[0] === "-m") process.exit(1)`), /there is no pip/],
    ["integrity", () => machine.tamperWithWheel(), /sha256 \w{64}, and not the pinned \w{64}/],
    [
      "network",
      () => failingPip("ERROR: Could not find a version (from versions: none): Temporary failure in name resolution"),
      /pip cannot reach its package index/,
    ],
    [
      "integrity",
      () => failingPip("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
      /not the pinned one/,
    ],
    [
      "disk",
      () => failingPip("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"),
      /disk is full/,
    ],
    [
      "network",
      () =>
        machine.program(
          "npm",
          `if (args[0] === "install") { console.error("npm error code ENOTFOUND"); process.exit(1); }`,
        ),
      /npm cannot reach its registry/,
    ],
    [
      "integrity",
      () => machine.program("npm", `if (args[0] === "install") fs.writeFileSync("package-lock.json", "{}");`),
      /not the known one/,
    ],
    ["library", () => machine.wheel({ "tensorflow/readme": "" }), /holds no C library/],
    ["library", () => machine.wheel({ "tensorflow/include/tensorflow/../../../../evil.h": "" }), /cannot be unpacked/],
  ] as const)(
    "for want of %s (%#) says so in one line, with the command that mends it",
    async (missing, damage, message) => {
      damage();
      const failure = await failureOf(machine.install());
      expect(failure.missing).toBe(missing);
      expect(failure.message).toMatch(message);
      expect(failure.message).toMatch(/wasm computes instead, about .* slower/);
      expect(failure.message).not.toContain("\n");
      expect(failure.help).toMatch(/npx pipe engine install/);
      expect(existsSync(join(machine.folder, "evil.h"))).toBe(false);
      expect(readdirSync(machine.root).filter((name) => !name.endsWith(".refused.json"))).toEqual([]);
      expect(readRefusal(machine.root)).toMatchObject({ missing, message: failure.message });
      const native = listEngines(machine.root).find(({ name }) => name === "native");
      expect(native).toMatchObject({ available: false, problem: failure.message, help: failure.help });
    },
  );

  test("because the library computes wrongly keeps nothing of it", async () => {
    const failure = await failureOf(
      machine.install({ selfTest: async () => ({ ok: false, problem: "the loss of step 2 is NaN" }) }),
    );
    expect(failure.message).toMatch(/does not compute rightly: the loss of step 2 is NaN/);
    expect(findInstalled(machine.root)).toBeUndefined();
  });

  test("is tried again by the next command, and then forgotten", async () => {
    machine.removeProgram("make");
    await failureOf(machine.install());
    machine.program("make", "");
    await machine.install();
    expect(readRefusal(machine.root)).toBeUndefined();
  });

  test.each([
    ["2.14.1", /2\.14\.1, and 2\.15 or newer is needed/],
    ["1.15.5", /1\.15\.5, and 2\.15 or newer is needed/],
  ])("with TensorFlow %s is refused for its age", async (version, message) => {
    const failure = await failureOf(machine.install({ libraryFolder: machine.libraryFolder(version) }));
    expect(failure.missing).toBe("library");
    expect(failure.message).toMatch(message);
  });

  test("with a folder that holds no library says what was looked for", async () => {
    const failure = await failureOf(machine.install({ libraryFolder: machine.folder }));
    expect(failure.message).toMatch(/holds no libtensorflow_cc/);
    // The next run may still install the pinned one by itself.
    expect(readRefusal(machine.root)).toBeUndefined();
  });

  function failingPip(complaint: string): void {
    machine.program(
      "python3",
      `if (args[2] === "download") { console.error(${JSON.stringify(complaint)}); process.exit(1); }`,
    );
  }
});

test("an installation that is aborted ends what it started and leaves nothing, not even a refusal", async () => {
  machine.program(
    "python3",
    `if (args[2] === "download") { fs.writeFileSync(${JSON.stringify(join(machine.folder, "pid"))}, String(process.pid)); setInterval(() => {}, 1000); }`,
  );
  const abort = new AbortController();
  const reason = new Error("stop");
  const onProgress = () => {
    if (existsSync(join(machine.folder, "pid"))) abort.abort(reason);
  };
  await expect(machine.install({ signal: abort.signal, onProgress })).rejects.toBe(reason);
  expect(readRefusal(machine.root)).toBeUndefined();
  expect(readdirSync(machine.root)).toEqual([]);
});
