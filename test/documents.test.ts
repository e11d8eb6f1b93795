/**
 * The documents that come with the program are right: every pipeline, in every profile, passes the language and its
 * editors' schema, and every stage's schema is sound.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { defineStage } from "../src/contract.ts";
import { renderDiagnostics } from "../src/diagnostics/render-diagnostic.ts";
import { buildStageGraph } from "../src/graph/stage-graph.ts";
import { loadPipeline } from "../src/language/load-pipeline.ts";
import type { StageCatalogue } from "../src/language/pipeline.ts";
import { registry } from "../stages/registry.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "pipelines");
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));

interface Document {
  readonly profiles?: Readonly<Record<string, unknown>>;
}

const documents = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .flatMap((name) => {
    const { profiles = {} } = parse(readFileSync(join(folder, name), "utf8")) as Document;
    return [[name, []] as const, ...Object.keys(profiles).map((profile) => [name, [profile]] as const)];
  });

function load(name: string, profiles: readonly string[]) {
  const source = { file: `pipelines/${name}`, folder, text: readFileSync(join(folder, name), "utf8") };
  // The profile `local` wants a path, which only its user knows.
  const overrides = profiles.includes("local") ? ["data=./data/cifar10-sample.tar.gz"] : [];
  return loadPipeline(source, { profiles, overrides, exists: existsSync }, registry);
}

describe("pipelines", () => {
  test.each(documents)("%s %s passes the language", (name, profiles) => {
    const { pipeline, diagnostics, texts } = load(name, profiles);
    expect(diagnostics.length === 0 ? "" : renderDiagnostics(diagnostics, texts, { color: false })).toBe("");
    expect(buildStageGraph(pipeline!).order).toHaveLength(pipeline!.stages.length);
  });

  const editorSchema = new Ajv({ strict: false, allErrors: true }).compile(readJson("schemas/pipeline.schema.json"));
  test.each([...new Set(documents.map(([name]) => name))])("%s passes the schema that editors use", (name) => {
    const valid = editorSchema(parse(readFileSync(join(folder, name), "utf8")));
    expect(valid ? [] : editorSchema.errors).toEqual([]);
  });

  test("the editors' schema refuses what the language refuses", () => {
    const train = (settings: object) => ({ name: "x", stages: { train: { uses: "train", with: settings } } });
    const sound = { epochs: 1, batchSize: 1, optimizer: { type: "sgd", learningRate: 0.1 }, seed: 1 };
    expect(editorSchema(train(sound))).toBe(true);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
    expect(editorSchema(train({ ...sound, epochs: "${params.epochs}" }))).toBe(true);
    expect(editorSchema(train({ ...sound, epochs: "many" }))).toBe(false);
    expect(editorSchema(train({ ...sound, lerningRate: 0.1 }))).toBe(false);
    expect(editorSchema(train({ ...sound, optimizer: { type: "sgd", learningRate: 0.1, beta1: 0.9 } }))).toBe(false);
    expect(editorSchema({ name: "x", stages: { a: { uses: "nothing" } } })).toBe(false);
  });

  test("the real job is the published recipe, in every architecture", () => {
    for (const name of ["resnet34", "resnet50", "resnet101", "resnext50", "resnext101", "vgg16"]) {
      const { pipeline } = load(`${name}.yaml`, []);
      const params = Object.fromEntries(pipeline!.stages.map((stage) => [stage.name, stage.params]));
      expect(pipeline!.name).toBe(name);
      expect(params.train).toMatchObject({ epochs: 50, batchSize: 256, seed: 123, dropLast: true });
      expect(params.normalize!.train).toEqual([{ resize: 120 }, { randomCrop: 110 }]);
      expect(params.split).toEqual({ fractions: { train: 0.9, valid: 0.1 }, shuffle: "numpy", seed: 123 });
      expect(params.train!.schedule).toMatchObject({
        type: "plateau",
        metric: "validAccuracy",
        mode: "max",
        factor: 0.1,
      });
    }
  });
});

test("the README shows the quick profile as it is", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const { pipeline } = load("resnet34.yaml", ["quick"]);
  const epochs = pipeline!.stages.find(({ name }) => name === "train")!.params.epochs;
  const [, ofScreen] = /epoch \d+\/(\d+)/.exec(readme)!;
  const [, ofExcerpt] = /quick: \{ params: \{ epochs: (\d+) \} \}/.exec(readme)!;
  expect([Number(ofScreen), Number(ofExcerpt)]).toEqual([epochs, epochs]);
});

/** Where documents lie, so that paths in their examples are known. */
const DOCS = "/project";
const ownStage = (type: string) => {
  const definition = defineStage({
    type,
    description: "A stage of one's own.",
    inputs: { "*": { kind: "any", many: true, description: "Anything." } },
    outputs: { table: { kind: "path", description: "A table." } },
    run: async () => {},
  });
  const module = `${DOCS}/stages/${type}.ts`;
  return [module, { definition, schema: { type: "object" }, module }] as const;
};
const catalogue = new Map([...registry, ownStage("clean"), ownStage("compare")]) as unknown as StageCatalogue;

function loadExample(text: string, included: Readonly<Record<string, string>> = {}) {
  const source = { file: "example.yaml", folder: DOCS, text };
  const readText = (path: string) => included[path];
  const environment = { HOME: "/home/me", DATA_FOLDER: "/data" };
  return loadPipeline(source, { profiles: [], overrides: [], readText, environment }, catalogue);
}

describe("the language's own document", () => {
  const text = readFileSync(join(root, "docs", "language.md"), "utf8");
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const fileOf = (block: string) => /^# (\S+\.yaml)$/m.exec(block)?.[1];
  const included = Object.fromEntries(blocks.flatMap((one) => (fileOf(one) ? [[`${DOCS}/${fileOf(one)}`, one]] : [])));
  const refused = blocks.filter((block) => block.startsWith("# refused: "));
  const sound = blocks.filter((block) => !block.startsWith("# refused: ") && fileOf(block) === undefined);
  const editorSchema = new Ajv({ strict: false }).compile(readJson("schemas/pipeline.schema.json"));

  test.each(sound)("shows a sound pipeline: %s", (block) => {
    const { diagnostics, texts } = loadExample(block, included);
    expect(diagnostics.length === 0 ? "" : renderDiagnostics(diagnostics, texts, { color: false })).toBe("");
    const { profiles = {} } = parse(block) as Document;
    for (const profile of Object.keys(profiles)) {
      const source = { file: "example.yaml", folder: DOCS, text: block };
      expect(loadPipeline(source, { profiles: [profile], overrides: [] }, catalogue).diagnostics).toEqual([]);
    }
    // What an included file adds, an editor does not know.
    if (/^include:/m.test(block)) return;
    expect(editorSchema(parse(block)) ? [] : editorSchema.errors).toEqual([]);
  });

  test.each(refused)("shows what is refused, by its code: %s", (block) => {
    const [, code] = /^# refused: (\S+)/.exec(block)!;
    expect(loadExample(block).diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
  });

  test("names every key of the language", () => {
    const { properties, definitions } = readJson("schemas/pipeline.base.json");
    const keys = [...Object.keys(properties), ...Object.keys(definitions.stage.properties)];
    expect(keys.filter((key) => !text.includes(`\`${key}`) && !text.includes(`${key}\``))).toEqual([]);
    expect(sound.length).toBeGreaterThan(8);
  });
});

describe("schemas", () => {
  test.each([...registry.keys(), "pipeline", "run", "key", "lock"])("every example in that of %s is one", (name) => {
    const schema = readJson(`schemas/${name}.schema.json`);
    const ajv = new Ajv({ strict: false, allErrors: true });
    const wrong: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      for (const [key, value] of Object.entries(node))
        if (!["default", "examples", "enum", "const"].includes(key) || path.endsWith("/properties"))
          visit(value, `${path}/${key}`);
      if (!("examples" in node) || !Array.isArray(node.examples) || /\/(properties|definitions)$/.test(path)) return;
      const { examples, ...rest } = node;
      const check = ajv.compile({ ...rest, definitions: schema.definitions });
      for (const example of examples)
        if (!check(example)) wrong.push(`${path} ${JSON.stringify(example)}: ${ajv.errorsText(check.errors)}`);
    };
    visit(schema, "");
    expect(wrong).toEqual([]);
  });

  test("whole pipelines that the pipeline's schema gives as examples pass the language", () => {
    const base = `stages:
  fetch: { uses: fetch, with: { dataset: cifar10 } }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 1 } }
  train:
    uses: train
    inputs: { model: model, train: fetch.train }
    with:
      epochs: 1
      batchSize: 64
      optimizer: { type: sgd, learningRate: "\${matrix.lr}" }
      select: last
      seed: "\${params.seed}"
`;
    const { examples } = readJson("schemas/pipeline.schema.json");
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      const { diagnostics, texts } = loadExample(stringify(example), { [`${DOCS}/base.yaml`]: base });
      expect(diagnostics.length === 0 ? "" : renderDiagnostics(diagnostics, texts, { color: false })).toBe("");
    }
  });

  test.each([...registry.keys()])(
    "that of %s is valid JSON Schema (draft-07) and keeps defaults that it would accept",
    (type) => {
      const { schema } = registry.get(type)!;
      const ajv = new Ajv({ strict: false, allErrors: true });
      expect(ajv.validateSchema(schema as object)).toBe(true);
      const wrong: string[] = [];
      const visit = (node: unknown, path: string): void => {
        if (typeof node !== "object" || node === null) return;
        for (const [key, value] of Object.entries(node)) if (key !== "default") visit(value, `${path}/${key}`);
        if (!("default" in node) || path.endsWith("/properties")) return;
        const check = ajv.compile({ ...node, definitions: schema.definitions });
        if (!check(node.default)) wrong.push(`${path}: ${ajv.errorsText(check.errors)}`);
      };
      visit(schema, "");
      expect(wrong).toEqual([]);
    },
  );

  test.each([...registry.keys()])("%s demands a seed, or draws nothing", (type) => {
    const { schema } = registry.get(type)!;
    const properties = schema.properties as Record<string, { default?: unknown }>;
    if (properties.seed === undefined) return;
    expect(schema.required).toContain("seed");
    expect(properties.seed.default).toBeUndefined();
  });
});
