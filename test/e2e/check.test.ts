// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
/** `pipe check` and `pipe schema` with the real program, and a pipeline that uses the whole language. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PlacedDiagnostic } from "../../src/diagnostics/place-diagnostic.ts";
import { Project } from "./project.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project.remove());

const SWEEP = `name: sweep
include: ../shared/base.yaml
env: GREETING
matrix: { word: [one, two] }
stages:
  write:
    run: 'printf "%s %s %s" "\${env.GREETING}" "\${matrix.word}" "\${params.name}" > "\${outputs.text}"'
    outputs: { text: text.txt }
  count:
    run: 'wc -c < "\${inputs.text}" | tr -d " " > "\${outputs.count}"'
    inputs: { text: write }
    outputs: { count: count.txt }
  all:
    run: 'for f in "\${inputs.texts}"/*; do cat "$f"/*; echo " from $(basename "$f")"; done > "\${outputs.list}"'
    inputs: { texts: write@*.text }
    outputs: { list: list.txt }
`;

describe("pipe check", () => {
  test("tells editors the place of everything that is wrong, in the file that it is wrong in, and ends with 2", async () => {
    project.write("shared/base.yaml", 'params:\r\n  # ünï\r\n  name: "${params.nme}"\r\n');
    project.write("pipelines/sweep.yaml", SWEEP.replace("matrix: {", "matrix: { wrod: [],"));
    const { code, stdout } = await project.run(["check", "sweep", "--json"]);
    expect(code).toBe(2);
    const found = JSON.parse(stdout) as readonly PlacedDiagnostic[];
    expect(found.map((one) => [one.file, one.code])).toContainEqual(["shared/base.yaml", "language/unknown-param"]);
    const inBase = found.find(({ file }) => file === "shared/base.yaml")!;
    expect(inBase).toMatchObject({ line: 3, column: 9, endLine: 3, endColumn: 24, severity: "error" });
    expect(inBase.help).toBe('did you mean "name"?');
    expect(inBase.message).toContain("nme");
    const unset = found.find((one) => one.code === "language/unset-environment")!;
    expect(unset).toMatchObject({ file: "pipelines/sweep.yaml", line: 3, column: 6 });
    expect(found.map((one) => one.code)).toContain("language/bad-matrix");
  });

  test("checks every pipeline in pipelines/, and says which are right", async () => {
    project.write("shared/base.yaml", "params: { name: me }\n");
    project.write("pipelines/sweep.yaml", SWEEP);
    project.write(
      "pipelines/fetch.yaml",
      "name: fetch\nstages:\n  fetch: { uses: fetch, with: { dataset: cifar10 } }\n",
    );
    const right = await project.run(["check"], { GREETING: "hello" });
    expect(right.stdout).toBe(
      "pipelines/fetch.yaml is right: 1 stage\npipelines/sweep.yaml is right: 3 stages, 5 with every instance\n",
    );
    expect([right.code, right.stderr]).toEqual([0, ""]);
    expect((await project.run(["check", "--json"], { GREETING: "hello" })).stdout).toBe("[\n]\n");
    project.edit("pipelines/fetch.yaml", "cifar10", "cifar11");
    const wrong = await project.run(["check"], { GREETING: "hello" });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("pipelines/fetch.yaml:3:42");
    expect((await project.run(["check", "nothing"])).code).toBe(2);
  });

  test("knows what an engine does not have", async () => {
    const model = "  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 1 } }\n";
    const evaluate = "  evaluate: { uses: evaluate, inputs: { model: model, test: fetch.test } }\n";
    const fetch = "  fetch: { uses: fetch, with: { dataset: cifar10 } }\n";
    const engine = "engine: { name: wasm, precision: bfloat16 }\n";
    project.write("pipelines/a.yaml", `name: a\n${engine}stages:\n${fetch}${model}${evaluate}`);
    const { code, stderr } = await project.run(["check"]);
    expect(code).toBe(2);
    expect(stderr).toContain("language/unsupported-on-engine");
  });
});

describe("pipe schema", () => {
  test("lists the schemas, and prints each as it is", async () => {
    const { stdout, code } = await project.run(["schema"]);
    expect(code).toBe(0);
    const names = stdout.split("\n").flatMap((line) => /^[a-z-]+/.exec(line)?.[0] ?? []);
    expect(names).toEqual(expect.arrayContaining(["pipeline", "run", "key", "fetch", "train"]));
    for (const name of names) {
      const schema = JSON.parse((await project.run(["schema", name])).stdout) as { readonly type: string };
      expect(schema.type).toBe("object");
    }
    const wrong = await project.run(["schema", "trian"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean "train"?')]);
  });
});

test("a pipeline of included params, a matrix, commands and a listed variable runs, and only what changed runs again", async () => {
  project.write("shared/base.yaml", "params: { name: me }\n");
  project.write("pipelines/sweep.yaml", SWEEP);
  const run = (greeting: string, ...args: readonly string[]) =>
    project.run(["run", "sweep", "--json", ...args], { GREETING: greeting });
  const first = await run("hello");
  expect(first.outcomes).toEqual({
    "write@word=one": "ran",
    "write@word=two": "ran",
    "count@word=one": "ran",
    "count@word=two": "ran",
    all: "ran",
  });
  expect(project.read("artifacts/sweep/all/list/list.txt")).toBe(
    "hello one me from word=one\nhello two me from word=two\n",
  );
  expect(project.read("artifacts/sweep/count@word=one/count/count.txt")).toBe("12\n");
  expect(new Set(Object.values((await run("hello")).outcomes))).toEqual(new Set(["fresh"]));
  const changed = await run("HELLO");
  expect(changed.outcomes).toMatchObject({
    "write@word=one": "ran",
    "count@word=one": "ran",
    all: "ran",
  });
  project.edit("pipelines/sweep.yaml", "[one, two]", "[one, two, three]");
  expect((await run("HELLO")).outcomes).toMatchObject({
    "write@word=two": "fresh",
    "write@word=three": "ran",
    all: "ran",
  });
  const one = await run("HELLO", "count@word=three");
  expect(Object.keys(one.outcomes)).toEqual(["write@word=three", "count@word=three"]);
});
