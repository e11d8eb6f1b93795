/** `pipe watch` with the real program and real saves. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import type { Project, RunningProgram } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

let project: Project;
let running: RunningProgram | undefined;
beforeEach(() => {
  project = createWordsProject();
});
afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.result;
  running = undefined;
  project.remove();
});

/** The outcomes of the n-th run that ended, from 1 on. */
async function endOf(program: RunningProgram, count: number): Promise<Readonly<Record<string, string>>> {
  const seen = new Set<RunEvent>();
  const isNth = (event: RunEvent) => event.type === "run-finished" && seen.add(event).size >= count;
  const event = await program.event(isNth);
  if (event.type !== "run-finished") throw new Error("not the end of a run");
  return Object.fromEntries(event.record.stages.map(({ stage, outcome }) => [stage, outcome]));
}

test("pipe watch runs what a saved file changes, mends itself after a mistake, and ends well", async () => {
  running = project.start(["watch", "words.yaml", "--json"]);
  expect(await endOf(running, 1)).toMatchObject({ upper: "ran", count: "ran" });
  project.write("text.txt", "three\n");
  expect(await endOf(running, 2)).toEqual({ upper: "ran", twice: "ran", count: "ran", other: "ran" });
  // A mistake is told and does not end it; the next save mends it.
  const stderr = errorOf(running);
  project.edit("words.yaml", "inputs: { text: twice }", "inputs: { text: twize }");
  await stderr.includes("twize");
  project.edit("words.yaml", "inputs: { text: twize }", "inputs: { text: upper }");
  expect(await endOf(running, 3)).toEqual({ upper: "fresh", twice: "fresh", count: "ran", other: "fresh" });
  await stderr.includes("watching");
  running.child.kill("SIGINT");
  const { code } = await running.result;
  expect(code).toBe(0);
});

/** Waits for words on standard error. */
function errorOf({ child }: RunningProgram) {
  let text = "";
  const waiting: { word: string; found: () => void }[] = [];
  child.stderr!.on("data", (piece: string) => {
    text += piece;
    for (const { found } of waiting.filter(({ word }) => text.includes(word))) found();
  });
  return {
    includes: (word: string) =>
      new Promise<void>((resolve) => {
        if (text.includes(word)) resolve();
        else waiting.push({ word, found: resolve });
      }),
  };
}
