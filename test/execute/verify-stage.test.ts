/** A stage run again as it was: what is equal, what is not, what cannot be known; and nothing in the store moves by it. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StageVerdict } from "../../src/cache/verification.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import { readLastRun } from "../../src/execute/last-run.ts";
import type { OutputLookup } from "../../src/execute/recorded-stage.ts";
import { type VerifiedResult, verifyStage } from "../../src/execute/verify-stage.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

const worker = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "worker.js");

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

type Stages = Readonly<Record<string, PuppetStage>>;

/** `stages` as the pipeline is now. */
async function verify(
  stages: Stages,
  name: string,
  options: {
    kill?: AbortSignal;
    workspace?: Workspace;
    lookups?: readonly OutputLookup[];
    onTold?: () => void;
  } = {},
): Promise<VerifiedResult> {
  const workspace = options.workspace ?? (await runner.workspace());
  const pipeline = runner.pipeline(stages);
  const last = readLastRun(workspace, pipeline)!.stages;
  return verifyStage(workspace, {
    stage: pipeline.stages.find((stage) => stage.name === name)!,
    pipelineFolder: pipeline.folder,
    traces: workspace.traces.find(last[name]!),
    lookups: options.lookups ?? [(stage, output) => workspace.traces.find(last[stage] ?? "")[0]?.outputs[output]],
    comparer: createContentComparer(),
    worker,
    environment: process.env,
    signal: new AbortController().signal,
    killSignal: options.kill ?? new AbortController().signal,
    onMessage: (message) => message.type === "log" && options.onTold?.(),
  });
}
const verdictOf = async (...args: Parameters<typeof verify>): Promise<StageVerdict> => (await verify(...args)).verdict;

let edits = 0;
async function verdictAfterEdit(stages: Stages, name: string): Promise<StageVerdict> {
  runner.editCode("export const puppet", `globalThis.edit${++edits} = true; export const puppet`);
  return verdictOf(stages, name);
}

/** Every file under `artifacts/` but the memo, with its content and time. */
function everything(folder = join(runner.folder, "artifacts")): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name === "memo") continue;
    if (statSync(path).isDirectory()) Object.assign(found, { [path]: "folder", ...everything(path) });
    else found[path] = `${statSync(path).mtimeMs} ${readFileSync(path, "utf8")}`;
  }
  return found;
}

const chain = (text = "b"): Stages => ({
  first: { params: { text: "a" } },
  second: { params: { text }, inputs: { from: "first" } },
});

describe("a stage that is verified", () => {
  test("is identical where it gives the same again, and nothing in store or results has moved", async () => {
    await runner.run(chain());
    const before = everything();
    expect(await verdictOf(chain(), "second")).toMatchObject({ verdict: "identical", artifacts: 1 });
    expect(everything()).toEqual(before);
  });

  test("differs where it gives something else, down to the first byte, and nothing has moved either", async () => {
    const stages = { dice: { params: { text: "", random: true } } };
    await runner.run(stages);
    const before = everything();
    const { verdict, disagreeing, trace } = await verify(stages, "dice");
    expect(verdict).toMatchObject({
      verdict: "differs",
      differences: [
        {
          output: "out",
          kind: "file",
          before: trace.outputs.out!.digest,
          after: disagreeing!.after.outputs.out!.digest,
          files: 1,
          differing: [{ how: "bytes", path: "out.txt", beforeBytes: 16, afterBytes: 16 }],
        },
      ],
    });
    expect(everything()).toEqual(before);
  });

  test("is run with what it had, also where the pipeline says something else by now", async () => {
    await runner.run(chain("b"));
    expect(await verdictOf(chain("z"), "second")).toMatchObject({ verdict: "identical" });
  });

  test("that was made on another kind of machine differs from it without being called nondeterministic", async () => {
    const stages = { dice: { params: { text: "", random: true } } };
    await runner.run(stages);
    const workspace = await runner.workspace();
    const machine = { ...workspace.machine, instructions: "another" };
    const { verdict, disagreeing } = await verify(stages, "dice", { workspace: { ...workspace, machine } });
    expect(verdict).toMatchObject({ verdict: "differs", madeOn: { here: expect.stringContaining("another") } });
    expect(disagreeing).toBeUndefined();
  });

  test("cannot be checked where its input of the user's or what made its input is not what it was", async () => {
    const path = join(runner.folder, "data.txt");
    writeFileSync(path, "one");
    const stages: Stages = { reads: { params: { text: "r" }, inputs: { data: path } }, ...chain() };
    await runner.run(stages);

    writeFileSync(path, "two");
    expect(await verdictOf(stages, "reads")).toMatchObject({
      verdict: "unchecked",
      reason: `input data (${path}) is not what it was`,
    });
    expect(await verdictOf({ ...stages, second: { params: { text: "b" } } }, "second")).toMatchObject({
      verdict: "unchecked",
      reason: "its input from is not connected any more",
    });
  });

  test("is run by the code that made it, whatever that was edited to", async () => {
    await runner.run(chain());
    runner.editCode('+ "/out.txt", (', '+ "/out.txt", "edited" + (');
    const before = everything();
    expect(await verdictOf(chain(), "second")).toMatchObject({ verdict: "identical", earlierCode: true });
    expect(everything()).toEqual(before);
    await runner.run(chain());
    expect(runner.visible("second")).toBe("editedbfrom(editeda)");
    expect(await verdictOf(chain(), "second")).not.toHaveProperty("earlierCode");
  });

  test("cannot be checked where the code that made it cannot find its packages, for want of links", async () => {
    const chess = join(runner.folder, "node_modules", "chess");
    mkdirSync(chess, { recursive: true });
    writeFileSync(join(chess, "package.json"), "{}");
    const withChess = async (): Promise<Workspace> => {
      const workspace = await runner.workspace();
      const { code } = workspace;
      const resolve: typeof code.resolve = (...asked) => ({ ...code.resolve(...asked), packages: { chess: "1.0.0" } });
      return { ...workspace, code: { ...code, resolve } };
    };
    await runner.run(chain(), { workspace: await withChess() });
    runner.editCode("export const puppet", "globalThis.edited = true; export const puppet");
    const workspace = await withChess();
    expect(await verdictOf(chain(), "second", { workspace })).toMatchObject({
      verdict: "identical",
      earlierCode: true,
    });
    const link = () => {
      throw Object.assign(new Error("EPERM: no links here"), { code: "EPERM" });
    };
    const files = { ...workspace.files, link };
    expect(await verdictOf(chain(), "second", { workspace: { ...workspace, files } })).toMatchObject({
      verdict: "unchecked",
      reason: "the code that it had cannot be laid out: EPERM: no links here",
    });
    expect(readdirSync(join(runner.folder, "artifacts")).sort()).toEqual([".store", "puppets"]);
  });

  test("cannot be checked where the code that made it is lost, was never kept, or had another package", async () => {
    const kept = await runner.workspace();
    await runner.run(chain(), { workspace: kept });
    const unable = { ...kept.codeStore, keep: () => undefined };
    await runner.run({ alone: { params: { text: "c" } } }, { workspace: { ...kept, codeStore: unable } });
    const alone = await verdictAfterEdit({ alone: { params: { text: "c" } } }, "alone");
    expect(alone).toMatchObject({ verdict: "unchecked", reason: "puppet was edited" });

    await runner.run(chain());
    const workspace = await runner.workspace();
    const newer: Workspace["code"]["resolve"] = (...asked) => ({
      ...workspace.code.resolve(...asked),
      digest: "0".repeat(64),
      packages: { chess: "2.0.0" },
    });
    expect(
      await verdictOf(chain(), "second", { workspace: { ...workspace, code: { ...workspace.code, resolve: newer } } }),
    ).toMatchObject({ verdict: "unchecked", reason: expect.stringMatching(/^package chess /) });

    const { code } = workspace.traces.find(readLastRun(workspace, runner.pipeline(chain()))!.stages.second!)[0]!;
    workspace.files.remove(workspace.layout.object(code.ran!.files[code.ran!.entry]!.digest));
    expect(await verdictAfterEdit(chain(), "second")).toMatchObject({
      verdict: "unchecked",
      reason: expect.stringMatching(
        /^puppet was edited, and of the code that it had object \w{12} is missing from the/,
      ),
    });
  });

  test("whose input's maker has run again since is verified with what it had read", async () => {
    await runner.run(chain());
    const kept = await runner.workspace();
    const had = kept.traces.find(readLastRun(kept, runner.pipeline(chain()))!.stages.first!)[0]!.outputs.out!;
    const edited: Stages = { ...chain(), first: { params: { text: "A" } } };
    await runner.run({ first: edited.first! });
    const workspace = await runner.workspace();
    const request = { stages: edited, name: "second" };
    expect(await verdictOf(request.stages, request.name)).toMatchObject({
      verdict: "unchecked",
      reason: "what its input from (first.out) was is not known any more",
    });
    const lookups = [() => undefined, () => had];
    expect(await verdictOf(request.stages, request.name, { workspace, lookups })).toMatchObject({
      verdict: "identical",
    });
  });

  test("whose input is lost from the store cannot be checked", async () => {
    await runner.run(chain());
    const workspace = await runner.workspace();
    const { outputs } = workspace.traces.find(readLastRun(workspace, runner.pipeline(chain()))!.stages.first!)[0]!;
    const file = workspace.artifacts.listing(outputs.out!.digest)!.files[0]!;
    workspace.files.remove(workspace.layout.object(file.digest));
    expect(await verdictOf(chain(), "second")).toMatchObject({
      verdict: "unchecked",
      reason: expect.stringContaining("an input is lost: object"),
    });
  });

  test("that fails this time has failed", async () => {
    const stages = { once: { params: { text: "x", failUntil: join(runner.folder, "flag") } } };
    writeFileSync(join(runner.folder, "flag"), "");
    await runner.run(stages);
    (await runner.workspace()).files.remove(join(runner.folder, "flag"));
    expect(await verdictOf(stages, "once")).toMatchObject({ verdict: "failed", failure: { message: "not yet" } });
  });

  test("that is interrupted leaves nothing behind", async () => {
    const stages = { slow: { params: { text: "s", tell: true, waitFor: join(runner.folder, "go") } } };
    writeFileSync(join(runner.folder, "go"), "");
    await runner.run(stages);
    (await runner.workspace()).files.remove(join(runner.folder, "go"));
    const before = everything();
    const kill = new AbortController();
    const verdict = await verdictOf(stages, "slow", { kill: kill.signal, onTold: () => kill.abort() });
    // The process is gone, and who has asked for that has stopped the program.
    expect(verdict.verdict).toBe("failed");
    expect(everything()).toEqual(before);
  });
});
