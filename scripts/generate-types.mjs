/**
 * Generates what follows from the schemas: a params type per stage type (`stages/generated/<type>-params.ts`, in which
 * settings with a default are always present), the schema of whole pipelines that editors read
 * (`schemas/pipeline.schema.json`), and the part of it that the language judges by. With `--check` nothing is written: stale files are listed, and the exit code is 1.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";
import { bundlePipelineSchema } from "./pipeline-schema.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Schemas that are not of a stage's settings. */
const OTHERS = ["pipeline", "run", "key", "lock"];

const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
const types = readdirSync(join(root, "schemas"))
  .filter((file) => file.endsWith(".schema.json"))
  .map((file) => file.slice(0, -".schema.json".length))
  .filter((type) => !OTHERS.includes(type))
  .sort();

const outputs = new Map();
const stageSchemas = {};
for (const type of types) {
  const schema = read(`schemas/${type}.schema.json`);
  stageSchemas[type] = schema;
  const name = `${type.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase())}Params`;
  const text = await compile(requireDefaults({ ...schema, title: name }), name, {
    additionalProperties: false,
    bannerComment: `/** Generated from schemas/${type}.schema.json. Do not edit: run \`npm run generate\`. */`,
  });
  outputs.set(`stages/generated/${type}-params.ts`, text);
}
const base = read("schemas/pipeline.base.json");
/** What the language judges by, as modules: reading files costs at every start. */
const judged = [
  ["engine", "ENGINE_SCHEMA", base.definitions.engineSettings],
  ["execution", "EXECUTION_SCHEMA", base.definitions.execution],
];
for (const [name, constant, schema] of judged) {
  outputs.set(
    `src/language/${name}-schema.generated.ts`,
    `/** Generated from schemas/pipeline.base.json. Do not edit: run \`npm run generate\`. */
import type { JsonObject } from "../json.ts";

export const ${constant}: JsonObject = ${JSON.stringify(schema, undefined, 2)};
`,
  );
}
const pipeline = bundlePipelineSchema(base, stageSchemas);
outputs.set("schemas/pipeline.schema.json", format("schemas/pipeline.schema.json", JSON.stringify(pipeline)));

const stale = [...outputs].filter(([path, text]) => readOrNothing(path) !== text).map(([path]) => path);
if (process.argv.includes("--check")) {
  for (const path of stale) console.error(`stale: ${path}`);
  if (stale.length > 0) console.error("run `npm run generate` and commit what it writes");
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), outputs.get(path));
    console.log(`wrote ${path}`);
  }
}

/** The runner fills defaults, also those inside maps and variants, so a property that has one is there. */
function requireDefaults(node) {
  if (Array.isArray(node)) return node.map(requireDefaults);
  if (typeof node !== "object" || node === null) return node;
  const copy = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, key === "default" ? value : requireDefaults(value)]),
  );
  if (typeof node.properties === "object" && node.type === "object") {
    const withDefault = Object.keys(node.properties).filter((key) => node.properties[key].default !== undefined);
    copy.required = [...new Set([...(node.required ?? []), ...withDefault])];
  }
  return copy;
}

function format(path, text) {
  const biome = join(root, "node_modules/.bin/biome");
  const result = spawnSync(biome, ["format", `--stdin-file-path=${path}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`biome could not format ${path}: ${result.stderr}`);
  return result.stdout;
}

function readOrNothing(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
}
