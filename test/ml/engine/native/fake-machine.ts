/**
 * A machine to install on, of which each program can be missing or fail: a folder with scripts called npm, python3, g++
 * and make that do just enough of what the real ones do, and note that they were called.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADDON_PACKAGES } from "../../../../src/ml/engine/native/addon-build.ts";
import { type InstallOptions, installNativeEngine } from "../../../../src/ml/engine/native/install.ts";
import { storedZip } from "./stored-zip.ts";

const NAMES =
  process.platform === "darwin"
    ? { main: "libtensorflow_cc.2.dylib", framework: "libtensorflow_framework.2.dylib" }
    : { main: "libtensorflow_cc.so.2", framework: "libtensorflow_framework.so.2" };

const WHEEL = {
  [`tensorflow/${NAMES.main}`]: "the library",
  [`tensorflow/${NAMES.framework}`]: "the framework",
  "tensorflow/include/tensorflow/c/c_api.h": "// header",
  "tensorflow/include/unrelated/thing.h": "// not wanted",
  "tensorflow/python/run.py": "print('never')",
};

/** Each program's script; `call` notes that it was called. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "g++": "",
  "clang++": "",
  make: "",
  install_name_tool: "",
  codesign: "",
  npm: `
    const addon = ${JSON.stringify(ADDON_PACKAGES.cpu)};
    const folder = "node_modules/" + addon.name;
    if (args[0] === "install") {
      call("npm install");
      fs.mkdirSync(folder + "/scripts", { recursive: true });
      fs.writeFileSync(folder + "/package.json", "{}");
      fs.writeFileSync("package-lock.json", JSON.stringify({ packages: { [folder]: { integrity: addon.integrity } } }));
    }
    if (args[0] === "run") {
      call("npm run build in " + process.cwd());
      if (!fs.existsSync(folder + "/deps/include/tensorflow/c/c_api.h")) throw new Error("no headers");
      fs.mkdirSync(folder + "/lib/napi-v8", { recursive: true });
      fs.mkdirSync(folder + "/build", { recursive: true });
      fs.writeFileSync(folder + "/lib/napi-v8/tfjs_binding.node", "addon");
    }`,
  python3: `
    if (args[2] === "download") {
      call("pip download");
      const requirements = fs.readFileSync(args[args.indexOf("--requirement") + 1], "utf8");
      if (!requirements.includes("--hash=sha256:")) throw new Error("pip was asked without a hash");
      fs.copyFileSync(process.env.FAKE_WHEEL, args[args.indexOf("--dest") + 1] + "/tensorflow_cpu-2.18.1-cp311.whl");
    }`,
};

export class FakeMachine {
  readonly folder = mkdtempSync(join(tmpdir(), "tfpipe-install-"));
  readonly root = join(this.folder, "cache", "engines");
  readonly #bin = join(this.folder, "bin");
  readonly #log = join(this.folder, "log");
  readonly #wheel = join(this.folder, "fake.whl");
  #sha256 = "";

  constructor() {
    mkdirSync(this.#bin);
    writeFileSync(this.#log, "");
    for (const [name, body] of Object.entries(PROGRAMS)) this.program(name, body);
    this.wheel(WHEEL);
  }

  /** Replaces a program by a script that knows `args`, `fs` and `call`. Asked for its version, it just works. */
  program(name: string, body: string): void {
    const script = join(this.folder, `${name}.cjs`);
    writeFileSync(
      script,
      `const fs = require("node:fs"), args = process.argv.slice(2);\n` +
        `const call = (what) => fs.appendFileSync(${JSON.stringify(this.#log)}, what + "\\n");\n${body}\n`,
    );
    const path = join(this.#bin, name);
    // A shell starts sooner than Node.
    const start = body === "" ? "" : `[ "$*" = "--version" ] || exec "${process.execPath}" "${script}" "$@"\n`;
    writeFileSync(path, `#!/bin/sh\n${start}`);
    chmodSync(path, 0o755);
  }

  removeProgram(...names: string[]): void {
    for (const name of names) rmSync(join(this.#bin, name));
  }

  wheel(files: Readonly<Record<string, string>>): void {
    writeFileSync(this.#wheel, storedZip(files));
    this.#sha256 = createHash("sha256").update(readFileSync(this.#wheel)).digest("hex");
  }

  /** What pip brings from now on differs from what is pinned. */
  tamperWithWheel(): void {
    writeFileSync(this.#wheel, "something else");
  }

  /** A folder as `--dir` names it. */
  libraryFolder(version: string): string {
    const folder = join(this.folder, `library-${version}`);
    const [major, minor, patch] = version.split(".");
    const files = {
      [NAMES.main]: "the library",
      [NAMES.framework]: `the framework of ${version}`,
      "include/tensorflow/c/c_api.h": "// header",
      "include/tensorflow/core/public/version.h": `#define TF_MAJOR_VERSION ${major}\n#define TF_MINOR_VERSION ${minor}\n#define TF_PATCH_VERSION ${patch}\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return folder;
  }

  install(options: Partial<InstallOptions> = {}) {
    const wheel = { python: "311", abi: "cp311", platform: "any", requirement: "tensorflow-cpu==2.18.1" };
    return installNativeEngine({
      root: this.root,
      onProgress: () => {},
      signal: new AbortController().signal,
      selfTest: async (folder) =>
        existsSync(join(folder, "node_modules", ADDON_PACKAGES.cpu.name, "lib/napi-v8/tfjs_binding.node"))
          ? { ok: true, ms: 1 }
          : { ok: false, problem: "there is no addon" },
      environment: { PATH: this.#bin, FAKE_WHEEL: this.#wheel },
      wheels: { tensorflow: { ...wheel, sha256: this.#sha256, sizeBytes: 1000 }, cuda: [] },
      ...options,
    });
  }

  /** The calls worth counting, in order. */
  calls(): string[] {
    return readFileSync(this.#log, "utf8").split("\n").filter(Boolean);
  }

  /** Where addons were compiled. */
  buildFolders(): string[] {
    const start = "npm run build in ";
    return this.calls().flatMap((call) => (call.startsWith(start) ? [call.slice(start.length)] : []));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
