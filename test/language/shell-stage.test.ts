// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { load, loadSound, problems } from "./load.ts";

const shell = (run: string, rest = "") =>
  `name: x\nparams: { rate: 0.1, tags: [a, 'b "c"'], on: true, a-b: 1, a_b: 2, path: ./raw.csv }\nstages:\n  prepare:\n    run: ${JSON.stringify(run)}\n${rest}`;
const stageOf = (text: string, options = {}) =>
  loadSound(text, options).stages.find(({ name }) => name.startsWith("prepare"))!;
const commandOf = (text: string, options = {}) => stageOf(text, options).command!;

describe("a command", () => {
  test("gets names of environment variables for what it refers to, and values beside", () => {
    const text = shell(
      'python "${inputs.script}" --rate ${params.rate} > "${outputs.table}"',
      "    inputs: { script: ./prepare.py }\n    outputs: { table: out/table.csv }\n",
    );
    expect(commandOf(text)).toMatchObject({
      text: 'python "${inputs.script}" --rate ${params.rate} > "${outputs.table}"',
      script: 'python "${TFPIPE_INPUT_SCRIPT}" --rate ${TFPIPE_PARAM_RATE} > "${TFPIPE_OUTPUT_TABLE}"',
      values: { TFPIPE_PARAM_RATE: "0.1" },
      inputVariables: { script: "TFPIPE_INPUT_SCRIPT" },
      outputVariables: { table: "TFPIPE_OUTPUT_TABLE" },
      outputPaths: { table: "out/table.csv" },
      shell: ["bash", "-euo", "pipefail", "-c"],
      folder: "/project/pipelines",
      tools: [],
    });
  });

  test("keeps what is the shell's own", () => {
    const run = "echo $HOME ${HOME} ${HOME:-x} $(date) ${inputs[@]} ${params} $${params.rate} $1 $$";
    const { script, values } = commandOf(shell(run));
    expect(script).toBe("echo $HOME ${HOME} ${HOME:-x} $(date) ${inputs[@]} ${params} ${params.rate} $1 $$");
    expect(values).toEqual({});
  });

  test("gets lists and maps as JSON, and two names that would be one variable as two", () => {
    const { script, values } = commandOf(
      shell("x ${params.tags} ${params.on} ${params.a-b} ${params.a_b} ${params.a-b}"),
    );
    expect(values).toEqual({
      TFPIPE_PARAM_TAGS: '["a","b \\"c\\""]',
      TFPIPE_PARAM_ON: "true",
      TFPIPE_PARAM_A_B: "1",
      TFPIPE_PARAM_A_B_2: "2",
    });
    expect(script).toContain("${TFPIPE_PARAM_A_B} ${TFPIPE_PARAM_A_B_2} ${TFPIPE_PARAM_A_B}");
  });

  test("gets values of its matrix and of listed environment variables", () => {
    const text = shell("x ${matrix.seed} ${env.DATA}", "    matrix: { seed: [7] }\n    env: [DATA, EMPTY]\n");
    const { command, env } = stageOf(text, { environment: { DATA: "a ${b}", EMPTY: "", OTHER: "no" } });
    expect(command!.values).toEqual({ TFPIPE_MATRIX_SEED: "7", TFPIPE_ENV_DATA: "a ${b}" });
    expect(env).toEqual({ DATA: "a ${b}", EMPTY: "" });
  });

  test("has the shell, the folder and the tools that are asked for", () => {
    const rest = "    shell: SHELL\n    folder: ../work\n    tools: [python3, ffmpeg]\n";
    const command = (name: string) => commandOf(shell("x ${params.rate}", rest.replace("SHELL", name)));
    expect(command("sh")).toMatchObject({
      shell: ["sh", "-eu", "-c"],
      folder: "/project/work",
      tools: ["python3", "ffmpeg"],
    });
    expect(command("[python3, -c]").shell).toEqual(["python3", "-c"]);
    expect(command("pwsh").script).toBe("x ${env:TFPIPE_PARAM_RATE}");
  });

  test("may be a block of lines, whose references are pointed at one by one", () => {
    const text = "name: x\nstages:\n  prepare:\n    run: |\n      # ünï\n      a ${params.x}\n      b ${params.y}\n";
    expect(problems(text)).toEqual(['unknown-param "${params.x}"', 'unknown-param "${params.y}"']);
    expect(problems(text.replaceAll("\n", "\r\n"))).toEqual([
      'unknown-param "${params.x}"',
      'unknown-param "${params.y}"',
    ]);
  });

  test("may be laid over by a profile, which takes the place of a stage type too", () => {
    const text = `${shell("make", "    outputs: { table: t.csv }\n")}profiles:\n  fast: { stages: { prepare: { run: make fast } } }\n  typed: { stages: { prepare: { uses: fetch, with: { dataset: cifar10 } } } }\n`;
    expect(commandOf(text, { profiles: ["fast"] })).toMatchObject({
      text: "make fast",
      outputPaths: { table: "t.csv" },
    });
    expect(stageOf(text, { profiles: ["typed"] })).toMatchObject({ type: "fetch" });
  });

  test("of a megabyte is refused", () => {
    expect(problems(shell("x".repeat(2 ** 20)))).toEqual([expect.stringMatching(/^too-large/)]);
  });
});

describe("what a command writes", () => {
  test("can be read by commands, and by stages that take any output or a path", () => {
    const text = `${shell("x", "    outputs: { table: t.csv, plots: plots/ }\n")}
  again: { run: 'cat "\${inputs.table}"', inputs: { table: prepare.table } }
  fetch: { uses: fetch, inputs: { source: prepare.plots }, with: { dataset: images } }
  plot: { uses: plot, inputs: { anything: prepare.table } }
`;
    const { stages } = loadSound(text);
    expect(stages[0]!.outputs.plots).toMatchObject({ kind: "path" });
    expect(stages[0]!.command!.outputPaths).toEqual({ table: "t.csv", plots: "plots" });
    expect(stages.slice(1).map(({ inputs }) => Object.values(inputs)[0])).toMatchObject([
      { stage: "prepare", output: "table" },
      { stage: "prepare", output: "plots" },
      { stage: "prepare", output: "table" },
    ]);
  });

  test("is no model and no dataset", () => {
    const text = `${shell("x", "    outputs: { table: t.csv }\n")}  split: { uses: split, inputs: { data: prepare }, with: { fractions: { a: 1 }, seed: 1 } }\n`;
    expect(problems(text)).toEqual(['kind-mismatch "prepare"']);
  });

  test("may be nothing: then others can only come after it", () => {
    const text = `${shell("test -d /")}  plot: { uses: plot, AFTER }\n`;
    expect(loadSound(text.replace("AFTER", "after: prepare")).stages[1]!.after).toEqual(["prepare"]);
    expect(problems(text.replace("AFTER", "inputs: { anything: prepare }"))).toEqual(['bad-reference "prepare"']);
  });
});

describe("a command's input", () => {
  test("may have any name and be anything: a path, an output, a param that holds one", () => {
    const rest = '    inputs: { script: ./prepare.py, raw: "${params.path}" }\n';
    expect(stageOf(shell("x", rest)).inputs).toEqual({
      script: { from: "path", path: "/project/pipelines/prepare.py", text: "./prepare.py" },
      raw: { from: "path", path: "/project/pipelines/raw.csv", text: "./raw.csv" },
    });
    expect(stageOf(shell("x", rest), { overrides: ["path=./b.csv"] }).inputs.raw).toMatchObject({
      path: "/project/b.csv",
    });
  });

  test("that is not there, and a folder that is not, are told", () => {
    const text = shell("x", "    inputs: { script: ./prepare.py }\n    folder: work\n");
    const asked: string[] = [];
    const { diagnostics } = load(text, { exists: (path) => asked.push(path) === 0 });
    expect(diagnostics.map(({ code }) => code)).toEqual(["language/missing-path", "language/missing-path"]);
    expect(asked.sort()).toEqual(["/project/pipelines/prepare.py", "/project/pipelines/work"]);
  });
});

describe("a stage of the user's own", () => {
  const text =
    "name: x\nstages:\n  clean: { uses: ./stages/clean.ts, inputs: { data: ./raw.csv }, with: { rows: 3 }, env: A }\n";

  test("is found by the path of its module, and checked like any other", () => {
    const stage = loadSound(text, { environment: { A: "1" } }).stages[0]!;
    expect(stage).toMatchObject({
      type: "./stages/clean.ts",
      module: "/project/pipelines/stages/clean.ts",
      params: { rows: 3 },
      env: { A: "1" },
    });
    expect(problems(text.replace("rows: 3", "row: 3"), { environment: { A: "1" } })).toEqual(['unknown-key "row"']);
  });

  test("that is not there is a path that is not there", () => {
    const missing = text.replace("clean.ts", "other.ts").replace(", env: A", "");
    expect(problems(missing, { exists: (path) => !path.endsWith("other.ts") })).toEqual([
      'missing-path "./stages/other.ts"',
    ]);
  });
});
