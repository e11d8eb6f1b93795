/** A run with nothing to do remembers what it looked at; `--paranoid` looks again, and every change is seen. */
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sealText } from "../../src/identity/sealed-text.ts";
import { Project } from "./project.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write("a.txt", "a\n");
  project.write("b.txt", "b\n");
  project.write(
    "two.yaml",
    `name: two
stages:
  first:
    inputs: { own: ./a.txt }
    outputs: { out: out.txt }
    run: cat "\${inputs.own}" > "\${outputs.out}"
  second:
    inputs: { own: ./b.txt, before: first }
    outputs: { out: out.txt }
    run: cat "\${inputs.own}" "\${inputs.before}" > "\${outputs.out}"
`,
  );
  for (const name of ["a.txt", "b.txt"]) age(name);
});
afterEach(() => project.remove());

/** A time with parts of a second: whole ones are those of coarse file systems. */
const age = (name: string) => utimesSync(project.path(name), 1e9 + 0.25, 1e9 + 0.25);
const run = (...args: string[]) => project.run(["run", "two.yaml", "--json", ...args]);
const memo = () => project.path("artifacts", ".store", "memo", "fresh-two.json");
const visible = (stage: string) => join("artifacts", "two", stage, "out", "out.txt");
const FRESH = { first: "fresh", second: "fresh" };

/** Until what was made is old enough for its times to be trusted. */
async function remember(): Promise<void> {
  expect((await run()).outcomes).toEqual({ first: "ran", second: "ran" });
  for (;;) {
    expect((await run()).outcomes).toEqual(FRESH);
    if (existsSync(memo()) && Object.keys(remembered()).length === 2) return;
  }
}
const remembered = () => JSON.parse(readFileSync(memo(), "utf8").split("\n")[1]!).stages as Record<string, unknown>;

test("what is remembered is the same run, in every view of it", async () => {
  await remember();
  const views = [["plan"], ["status"], ["why", "second"], ["run"]];
  const show = async () => {
    const shown: string[] = [];
    for (const [command, ...rest] of views) {
      const { stdout, code } = await project.run([command!, "two.yaml", ...rest]);
      expect(code).toBe(0);
      shown.push(stdout.replaceAll(/\([\d.]+ m?s\)/g, "(time)"));
    }
    return shown;
  };
  const short = await show();
  rmSync(memo());
  expect(await show()).toEqual(short);
});

test("a change is seen, only what it reaches runs, and the result is what the inputs say", async () => {
  await remember();
  project.write("a.txt", "A\n");
  age("a.txt");
  expect((await run()).outcomes).toEqual({ first: "ran", second: "ran" });
  project.write("b.txt", "B\n");
  expect((await run()).outcomes).toEqual({ first: "fresh", second: "ran" });
  expect(project.read(visible("second"))).toBe("B\nA\n");
  project.write(visible("second"), "mine\n");
  expect((await run()).outcomes).toEqual({ first: "fresh", second: "restored" });
  expect(project.read(visible("second"))).toBe("B\nA\n");
});

test("--paranoid does not ask what is remembered", async () => {
  await remember();
  const reasons = async (...args: string[]) => {
    const started = (await run(...args)).events.find((event) => event.type === "run-started");
    return started?.type === "run-started" ? started.stages.map(({ reason }) => reason) : [];
  };
  const [, body] = readFileSync(memo(), "utf8").split("\n") as [string, string];
  writeFileSync(memo(), sealText(body.replaceAll("up to date", "remembered")).text);
  expect(await reasons()).toEqual(["remembered", "remembered"]);
  expect(await reasons("--paranoid")).toEqual(["up to date", "up to date"]);
});
