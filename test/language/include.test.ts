// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { findUserStages, parsePipeline } from "../../src/language/parse-pipeline.ts";
import { load, loadSound, marked, problems } from "./load.ts";

const files = (texts: Readonly<Record<string, string>>) => ({
  readText: (path: string) => (Object.hasOwn(texts, path) ? texts[path] : undefined),
});
const BASE = "/project/pipelines/base.yaml";
const base = `name: base
params: { seed: 7, sizes: [1, 2], data: null }
env: [ONE]
stages:
  fetch: { uses: fetch, with: { dataset: cifar10 } }
  plot: { uses: plot, with: { title: "seed \${params.seed}", charts: [a] } }
profiles:
  quick: { params: { seed: 1 } }
`;

describe("an included file", () => {
  test("lies below the one that includes it: maps merge, lists replace, null deletes", () => {
    const text =
      "name: own\ninclude: ./base.yaml\nparams: { sizes: [3], own: null }\nenv: [TWO]\nstages:\n  fetch: null\n  plot: { with: { charts: [b] } }\n  more: { uses: plot, with: { title: '${params.own}${env.ONE}${env.TWO}' } }\n";
    const options = { ...files({ [BASE]: base }), environment: { ONE: "1", TWO: "2" } };
    expect(problems(text, options)).toEqual([expect.stringMatching(/^bad-reference/)]);
    const pipeline = loadSound(text.replace("${params.own}", ""), options);
    expect(pipeline.name).toBe("own");
    expect(pipeline.params).toEqual({ seed: 7, sizes: [3], data: null, own: null });
    expect(pipeline.stages.map(({ name, params }) => [name, params.title])).toEqual([
      ["plot", "seed 7"],
      ["more", "12"],
    ]);
    expect(pipeline.stages[0]!.params.charts).toEqual(["b"]);
    expect(pipeline.availableProfiles).toEqual(["quick"]);
  });

  test("gives no name: a pipeline has its own", () => {
    expect(problems("include: ./base.yaml\n", { ...files({ [BASE]: base }), environment: { ONE: "" } })).toEqual([
      'missing-key "i"',
    ]);
  });

  test("of several, the later lies above; one that two files include is read once", () => {
    const texts = {
      [BASE]: "params: { a: base, b: base, c: base }\n",
      "/project/pipelines/one.yaml": "include: ./base.yaml\nparams: { a: one, b: one }\n",
      "/project/pipelines/two.yaml": "include: ./base.yaml\nparams: { b: two }\n",
    };
    const read: string[] = [];
    const options = {
      readText: (path: string) => {
        read.push(path);
        return (texts as Record<string, string>)[path];
      },
    };
    const text = "name: x\ninclude: [./one.yaml, ./two.yaml]\nstages:\n  p: { uses: plot }\n";
    // What two.yaml includes lies above one.yaml, as two.yaml does.
    expect(loadSound(text, options).params).toEqual({ a: "base", b: "two", c: "base" });
    expect(read.filter((path) => path === BASE)).toHaveLength(1);
  });

  test("is where what is wrong in it is shown, and paths in it start in its own folder", () => {
    const shared = "/project/shared/data.yaml";
    const texts = {
      [shared]:
        "# ünï\r\nstages:\r\n  fetch: { uses: fetch, inputs: { source: ./x.tgz }, with: { dataset: imges } }\r\n  clean: { uses: ../pipelines/stages/clean.ts, inputs: { data: ./raw.csv } }\r\n  make: { run: make, folder: sub }\r\n",
    };
    const text = "name: x\ninclude: ../shared/data.yaml\nstages: {}\n";
    const { diagnostics, texts: shown } = load(text, files(texts));
    expect(diagnostics.map(({ span }) => [span.file, marked(span, shown)])).toEqual([["../shared/data.yaml", "imges"]]);
    const sound = loadSound(text, files({ [shared]: texts[shared]!.replace("imges", "images") }));
    expect(sound.stages.slice(0, 2).map(({ inputs }) => Object.values(inputs)[0])).toMatchObject([
      { path: "/project/shared/x.tgz" },
      { path: "/project/shared/raw.csv" },
    ]);
    expect(sound.stages[1]!.module).toBe("/project/pipelines/stages/clean.ts");
    expect(sound.stages[2]!.command!.folder).toBe("/project/shared/sub");
  });

  test("that is broken stops there, after every file's syntax was read", () => {
    const texts = { [BASE]: "a: [\n", "/project/pipelines/b.yaml": "b: {\n" };
    const found = problems(
      "name: x\ninclude: [./base.yaml, ./b.yaml]\nstages:\n  p: { uses: nothing }\n",
      files(texts),
    );
    expect(new Set(found.map((problem) => problem.split(" ")[0]))).toEqual(new Set(["yaml-syntax"]));
    expect(found.length).toBeGreaterThan(1);
  });
});

describe("includes without measure are refused", () => {
  test("a chain of files", () => {
    const read = (path: string) => {
      const count = Number(/(\d+)\.yaml$/.exec(path)![1]);
      return `include: ./f${count + 1}.yaml\n`;
    };
    const found = problems("name: x\ninclude: ./f0.yaml\nstages:\n  p: { uses: plot }\n", { readText: read });
    expect(found).toEqual(['too-large "./f100.yaml"']);
  });

  test("a file of many megabytes, many times", () => {
    const readText = () => `params: {}\n# ${"x".repeat(7 * 2 ** 20)}\n`;
    const text = "name: x\ninclude: [./a.yaml, ./b.yaml, ./c.yaml]\nstages:\n  p: { uses: plot }\n";
    expect(problems(text, { readText })).toEqual(['too-large "./c.yaml"']);
  });

  test("files that each include the next one twice", () => {
    const readText = (path: string) => {
      const count = Number(/(\d+)\.yaml$/.exec(path)![1]);
      return count === 90 ? "params: { a: 1 }\n" : `include: [./f${count + 1}.yaml, ./f${count + 1}.yaml]\n`;
    };
    expect(loadSound("name: x\ninclude: ./f0.yaml\nstages:\n  p: { uses: plot }\n", { readText }).params).toEqual({
      a: 1,
    });
  });
});

test("the stages of the user's own are found before the catalogue is asked, profiles and includes heard", () => {
  const text = `name: x
include: ../shared/data.yaml
stages:
  a: { uses: ./a.ts }
  b: { uses: fetch }
profiles:
  other: { stages: { b: { uses: ./b.ts } } }
`;
  const shared = { "/project/shared/data.yaml": "stages:\n  c: { uses: ./c.mjs }\n" };
  const found = (profiles: readonly string[]) => {
    const source = { file: "pipelines/p.yaml", folder: "/project/pipelines", text };
    return findUserStages(parsePipeline(source, { profiles, overrides: [], ...files(shared) }));
  };
  expect(found([]).map(({ path, text: written }) => [path, written])).toEqual([
    ["/project/shared/c.mjs", "./c.mjs"],
    ["/project/pipelines/a.ts", "./a.ts"],
  ]);
  expect(found(["other"]).map(({ path }) => path)).toContain("/project/pipelines/b.ts");
  expect(found([])[0]!.span.file).toBe("shared/data.yaml");
});
