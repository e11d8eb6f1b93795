/**
 * Builds the package: the program and its worker (code-split, packages left outside), the two public entries, and the
 * bundle of every stage type and engine with its digest (`dist/code/code.json`).
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { mergeChunks } from "./merge-chunks.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const fresh = join(root, `dist.${process.pid}`);
rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, "code"), { recursive: true });

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  define: { TFPIPE_VERSION: JSON.stringify(version) },
};

try {
  // Programs share nothing while they run, so each has files of its own, and few of them.
  for (const entryPoints of [
    { pipe: "src/main.ts" },
    { worker: "src/execute/worker-main.ts" },
    { "digest-worker": "src/platform/digest-worker.ts" },
    {
      "self-test": "src/ml/engine/self-test-main.ts",
      contract: "src/ml/engine/contract/contract-main.ts",
      rate: "src/ml/engine/rate-main.ts",
    },
    { tfpipe: "src/contract.ts", ml: "src/ml/index.ts" },
  ]) {
    const { metafile } = await build({
      ...common,
      entryPoints,
      outdir: fresh,
      splitting: true,
      chunkNames: `chunks/${Object.keys(entryPoints)[0]}/[name]-[hash]`,
      metafile: true,
    });
    if (entryPoints.pipe === undefined) continue;
    await mergeChunks({
      root,
      folder: relative(root, fresh),
      metafile,
      entry: entryPoints.pipe,
      along: ["src/cli/run.ts", "src/report/plain-reporter.ts"],
      options: common,
    });
  }
  writeFileSync(join(fresh, "pipe.js"), `#!/usr/bin/env node\n${readFileSync(join(fresh, "pipe.js"), "utf8")}`);
  chmodSync(join(fresh, "pipe.js"), 0o755);

  // The bundler and the registry are TypeScript: bundle them to be able to call them.
  const tools = join(fresh, "tools");
  await build({
    ...common,
    entryPoints: { "bundle-code": "src/identity/bundle-code.ts", registry: "stages/registry.ts" },
    outdir: tools,
    outExtension: { ".js": ".mjs" },
  });
  const { bundleCode } = await import(pathToFileURL(join(tools, "bundle-code.mjs")).href);
  const { registry, engineSources } = await import(pathToFileURL(join(tools, "registry.mjs")).href);
  rmSync(tools, { recursive: true });

  const write = async (source) => {
    const { bundle, text } = await bundleCode(root, source);
    writeFileSync(join(fresh, "code", bundle.file), text);
    return bundle;
  };
  const stages = {};
  for (const [type, { definition }] of registry) {
    const assets = {};
    for (const [name, path] of Object.entries(definition.assets ?? {}))
      assets[name] = await write(join("stages", path).replaceAll("\\", "/"));
    stages[type] = { entry: await write(`stages/${type}.ts`), assets };
  }
  const engines = {};
  for (const [name, source] of Object.entries(engineSources)) engines[name] = await write(source);
  writeFileSync(join(fresh, "code", "code.json"), JSON.stringify({ format: "tfpipe/code/1", stages, engines }));

  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(fresh, join(root, "dist"));
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
