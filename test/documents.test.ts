/**
 * The documents that come with the program are right: every pipeline, in every profile, passes the language and its
 * editors' schema, and every stage's schema is sound.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { renderDiagnostics } from "../src/diagnostics/render-diagnostic.ts";
import { buildStageGraph } from "../src/graph/stage-graph.ts";
import { loadPipeline } from "../src/language/load-pipeline.ts";
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

describe("schemas", () => {
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
