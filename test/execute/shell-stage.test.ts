/** A shell stage's process, places and outputs, with the real shell: what is hostile arrives intact, what is wrong is said. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Trace } from "../../src/cache/trace-store.ts";
import { findShellOutputs, runShellStage } from "../../src/execute/shell-stage.ts";
import { readStageInputs } from "../../src/execute/stage-inputs.ts";
import type { StageKey } from "../../src/execute/stage-key.ts";
import type { InputSource, PipelineStage, ShellCommand } from "../../src/language/pipeline.ts";
import { processIdentity } from "../../src/platform/process-tree.ts";
import { waitFor } from "../../src/platform/wait-for.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
let project: string;
let printed: string[];
beforeEach(() => {
  store = openTemporaryStore();
  project = mkdtempSync(join(tmpdir(), "shell project-"));
  printed = [];
});
afterEach(() => {
  store.remove();
  rmSync(project, { recursive: true, force: true });
});

interface Shell extends Partial<ShellCommand> {
  readonly script: string;
  /** Paths in the project, or members of a collection: what is stored, by instance. */
  readonly inputs?: Readonly<Record<string, InputSource>>;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly traces?: ReadonlyMap<string, Trace>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
  readonly beforeStart?: () => void;
}

/** Runs a command whose inputs are `$IN_<port>` and outputs `$OUT_<name>`. */
async function run(shell: Shell) {
  const { inputs = {}, outputs = {}, env = {}, traces = new Map() } = shell;
  const variables = (prefix: string, names: object) =>
    Object.fromEntries(Object.keys(names).map((name) => [name, `${prefix}_${name.toUpperCase()}`]));
  const command: ShellCommand = {
    text: shell.script,
    values: {},
    inputVariables: variables("IN", inputs),
    outputVariables: variables("OUT", outputs),
    outputPaths: outputs,
    shell: ["bash", "-euo", "pipefail", "-c"],
    folder: project,
    tools: [],
    ...shell,
  };
  const span = { file: "", start: 0, end: 0 };
  const stage: PipelineStage = {
    name: "prep",
    type: "run",
    command,
    params: {},
    inputs,
    outputs: {},
    after: [],
    execution: { retries: 0, cache: true, frozen: false },
    env,
    facts: {},
    spans: { name: span, params: {}, inputs: {} },
  };
  const workspace = { ...store, searchPath: process.env.PATH! };
  const { inputs: opened, keyed } = await readStageInputs(workspace, stage, traces);
  const staging = store.layout.temporary();
  const folders = Object.fromEntries(Object.keys(outputs).map((name) => [name, join(staging, "outputs", name)]));
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  shell.beforeStart?.();
  const result = await runShellStage(workspace, {
    stage,
    command,
    key: { manifest: { command: { places: keyed.places } } } as unknown as StageKey,
    inputs: opened,
    staging,
    outputs: folders,
    environment: { PATH: process.env.PATH, HOME: "/home/somebody", SECRET: "leaks", ...shell.environment },
    signal: shell.signal ?? new AbortController().signal,
    clock: { wait: waitFor },
    ...(shell.timeoutMs === undefined ? {} : { timeoutMs: shell.timeoutMs }),
    onStart: () => {},
    onOutput: (_stream, line) => {
      printed.push(line);
      shell.onLine?.(line);
    },
  });
  return { result, folders, found: () => findShellOutputs(store.files, command, folders) };
}

const path = (name: string): InputSource => ({ from: "path", path: join(project, name), text: `./${name}` });
const write = (name: string, text: string) => {
  mkdirSync(join(project, name, ".."), { recursive: true });
  writeFileSync(join(project, name), text);
};
const failure = ({ result }: Awaited<ReturnType<typeof run>>) => {
  if (result.result !== "failed") throw new Error(`it ended as ${result.result}`);
  return result.failure;
};

const HOSTILE = [
  ["blanks", "a  b "],
  ["a line break", "a\nb"],
  ["letters of the world", "zażółć 猫 🐈"],
  ["a leading dash", "-rf"],
  ["quotes", `it's "so"`],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's notation.
  ["pieces of shell", "$(touch pwned); `touch pwned` && ${HOME} *"],
] as const;

describe("what is hostile arrives as it is", () => {
  test.each(HOSTILE)("%s in a file's name", async (_what, name) => {
    write(`in/${name}`, "content");
    const { result } = await run({
      script: 'basename -- "$IN_RAW"; cat -- "$IN_RAW"',
      inputs: { raw: path(`in/${name}`) },
    });
    expect(result).toEqual({ result: "done" });
    expect(printed.join("\n")).toBe(`${name}\ncontent`);
  });

  test.each(HOSTILE)("%s in a name inside a folder", async (_what, name) => {
    write(`in/${name}`, "content");
    await run({ script: 'cd "$IN_RAW"; for one in ./*; do printf "%s\\n" "$one"; done', inputs: { raw: path("in") } });
    expect(printed.join("\n")).toBe(`./${name}`);
  });

  test.each(HOSTILE)("%s in a value", async (_what, value) => {
    await run({ script: 'printf "%s\\n" "$TITLE"', values: { TITLE: value } });
    expect(printed.join("\n")).toBe(value);
    expect(existsSync(join(project, "pwned"))).toBe(false);
  });

  test("a character that no variable can hold is refused in words", async () => {
    const ended = failure(await run({ script: "true", values: { TITLE: "a\0b" } }));
    expect(ended.message).toMatch(/U\+0000/);
  });
});

describe("the environment", () => {
  test("is PATH, HOME, TMPDIR, LANG, what is declared, values and places, and nothing else", async () => {
    await run({
      script: "env | cut -d= -f1 | sort",
      shell: ["dash", "-c"],
      env: { DECLARED: "1" },
      values: { TITLE: "t" },
      outputs: { out: "o" },
    });
    const ownOfTheShell = ["PWD", "OLDPWD", "SHLVL", "_"];
    expect(printed.filter((name) => !ownOfTheShell.includes(name))).toEqual(
      ["DECLARED", "HOME", "LANG", "OUT_OUT", "PATH", "TITLE", "TMPDIR"].sort(),
    );
  });

  test("has no standard input to wait for", async () => {
    expect((await run({ script: "cat" })).result).toEqual({ result: "done" });
  });

  test("has the working folder that was declared", async () => {
    mkdirSync(join(project, "sub folder"));
    await run({ script: "pwd", folder: join(project, "sub folder") });
    expect(printed).toEqual([join(project, "sub folder")]);
    expect(failure(await run({ script: "pwd", folder: join(project, "none") })).message).toMatch(
      /working folder .*none/,
    );
  });
});

describe("an input", () => {
  test("is a copy of its own: what the command does to it reaches nobody", async () => {
    write("in/a.txt", "mine");
    await run({ script: 'echo spoilt > "$IN_RAW/a.txt"; rm -r "$IN_RAW"', inputs: { raw: path("in") } });
    expect(readFileSync(join(project, "in/a.txt"), "utf8")).toBe("mine");
  });

  test("keeps empty folders and who may be executed", async () => {
    mkdirSync(join(project, "in/empty"), { recursive: true });
    write("in/tool", "#!/bin/sh\necho ran\n");
    chmodSync(join(project, "in/tool"), 0o755);
    await run({
      script: 'test -d "$IN_RAW/empty"; "$IN_RAW/tool"; "$IN_TOOL"',
      inputs: { raw: path("in"), tool: path("in/tool") },
    });
    expect(printed).toEqual(["ran", "ran"]);
  });

  test("that changed after it was digested is refused", async () => {
    write("a.txt", "before");
    const ended = await run({
      script: "true",
      inputs: { raw: path("a.txt") },
      beforeStart: () => write("a.txt", "after!"),
    });
    expect(failure(ended).message).toBe("input raw was changed while it was read");
  });

  test("of a stage that made one file is that file; of another stage its folder; of many a folder for each", async () => {
    const stored = async (kind: string, files: Readonly<Record<string, string>>) => {
      const folder = store.layout.temporary();
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(join(folder, name, ".."), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      return { outputs: { out: { ...(await store.artifacts.takeIn(folder, kind)), facts: {} } } } as unknown as Trace;
    };
    const traces = new Map([
      ["table", await stored("file", { "table.csv": "1,2" })],
      ["images", await stored("folder", { "a/1.png": "png" })],
      ["train@lr=0.1", await stored("file", { "m.json": "one" })],
      ["train@lr=0.2", await stored("file", { "m.json": "two" })],
    ]);
    const from = (stage: string) => ({ from: "stage", stage, output: "out" }) as const;
    const members = ["lr=0.1", "lr=0.2"].map((name) => ({ name, stage: `train@${name}`, output: "out" }));
    await run({
      script:
        'basename "$IN_TABLE"; cat "$IN_TABLE"; echo; cat "$IN_IMAGES/a/1.png"; echo; cd "$IN_RUNS"; for one in *; do echo "$one $(cat "$one/m.json")"; done',
      inputs: { table: from("table"), images: from("images"), runs: { from: "instances", text: "train@*", members } },
      traces,
    });
    expect(printed).toEqual(["table.csv", "1,2", "png", "lr=0.1 one", "lr=0.2 two"]);
  });
});

test("an input whose name leads elsewhere stays in its place", async () => {
  write("a.txt", "content");
  const { result, folders } = await run({
    script: 'cat "$IN"',
    inputs: { "../../x": path("a.txt") },
    inputVariables: { "../../x": "IN" },
    outputs: { out: "o" },
  });
  expect(result).toEqual({ result: "done" });
  expect(existsSync(join(folders.out!, "../../../x"))).toBe(false);
});

describe("an output", () => {
  const outputs = { table: "out/table.csv", charts: "charts" };

  test("is the file or the folder that the command wrote at its place", async () => {
    const ended = await run({
      script: 'echo 1 > "$OUT_TABLE"; mkdir "$OUT_CHARTS"; echo 2 > "$OUT_CHARTS/a.svg"',
      outputs,
    });
    const { folders } = ended;
    expect(ended.found()).toEqual({
      found: {
        table: { folder: join(folders.table!, "out"), kind: "file" },
        charts: { folder: join(folders.charts!, "charts"), kind: "folder" },
      },
    });
  });

  test.each([
    ["is missing", "true", /did not write its output table \(out\/table\.csv\)/],
    [
      "has a neighbour",
      'echo 1 > "$OUT_TABLE"; mkdir "$OUT_CHARTS"; echo 2 > "$(dirname "$OUT_TABLE")/log"',
      /wrote table\/out\/log beside/,
    ],
    [
      "has a neighbour elsewhere",
      'echo 1 > "$OUT_TABLE"; mkdir "$OUT_CHARTS"; echo 2 > "$OUT_CHARTS/../../x"',
      /wrote x beside/,
    ],
    ["is a link", 'ln -s /etc/hosts "$OUT_TABLE"; mkdir "$OUT_CHARTS"', /table .* is neither a file nor a folder/],
  ] as const)("that %s is refused", async (_what, script, problem) => {
    const ended = await run({ script, outputs });
    expect(ended.result).toEqual({ result: "done" });
    expect(ended.found()).toMatchObject({ problem: expect.stringMatching(problem) });
  });
});

describe("a command", () => {
  test("that fails is a failure with its last lines", async () => {
    const ended = failure(await run({ script: 'echo first; echo "no such column" >&2; exit 3' }));
    expect(ended.message).toBe("its command ended with exit code 3");
    expect([...ended.lastOutput].sort()).toEqual(["first", "no such column"]);
  });

  test("stops at the first of its commands that fails, in a pipe too", async () => {
    expect(failure(await run({ script: "false | cat; echo on" })).message).toMatch(/exit code 1/);
    expect(printed).toEqual([]);
  });

  test.each([
    ["a program that is not there", { script: "no-such-program-here" }, /exit code 127/, /was not found/],
    [
      "a shell that is not there",
      { script: "true", shell: ["no-such-shell"] },
      /no program no-such-shell/,
      /install it/,
    ],
    ["a signal", { script: "kill -SEGV $$" }, /ended by SIGSEGV/, /^$/],
    ["want of memory", { script: "kill -KILL $$" }, /killed \(SIGKILL\)/, /out of memory/],
  ] as const)("that ends by %s says so", async (_what, shell, message, help) => {
    const ended = failure(await run(shell));
    expect(ended.message).toMatch(message);
    expect(ended.help ?? "").toMatch(help);
  });

  test("that is asked to stop takes what it started with it", async () => {
    const abort = new AbortController();
    const { result } = await run({
      script: 'sleep 1000 & echo "$!"; wait',
      signal: abort.signal,
      onLine: () => abort.abort(),
    });
    expect(result).toEqual({ result: "interrupted" });
    await expect.poll(() => processIdentity(Number(printed[0]))).toBeUndefined();
  });

  test("may clean up when it is asked to stop", async () => {
    const abort = new AbortController();
    await run({
      script: "trap 'echo cleaned; exit 1' TERM; echo ready; while true; do sleep 0.05; done",
      signal: abort.signal,
      onLine: (line) => line === "ready" && abort.abort(),
    });
    // The shell may also say of the command that it waited for that it was ended.
    expect(printed).toContain("cleaned");
  });

  test("that takes longer than its timeout is ended with all it started", async () => {
    const ended = failure(await run({ script: 'sleep 1000 & echo "$!"; wait', timeoutMs: 300 }));
    expect(ended.message).toMatch(/longer than its timeout/);
    if (printed[0] !== undefined) await expect.poll(() => processIdentity(Number(printed[0]))).toBeUndefined();
  });

  test("leaves nothing running when it ends well", async () => {
    await run({ script: 'sleep 1000 > /dev/null 2>&1 & echo "$!"' });
    await expect.poll(() => processIdentity(Number(printed[0]))).toBeUndefined();
  });
});
