/** `pipe gc` of the real program. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Project } from "./project.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write(
    "say.yaml",
    `name: say
stages:
  say:
    outputs: { out: out.txt }
    run: echo one > "\${outputs.out}"
`,
  );
});
afterEach(() => project.remove());

const run = () => project.run(["run", "say.yaml", "--json"]);
const gc = async (...args: string[]) => {
  const { code, stdout, stderr } = await project.run(["gc", ...args]);
  return { code, stdout, stderr };
};

test("old runs go with what only they had; the last one stays fresh, a pinned one stays", async () => {
  await run();
  project.edit("say.yaml", "echo one", "echo two");
  await run();
  const all = await gc();
  expect(all.code).toBe(0);
  expect(all.stdout).toMatch(/^nothing to free\n/);
  expect(all.stdout).toMatch(/pipe gc --keep-last 1 would free .* more/);

  expect((await gc("--pin", "last~1")).stdout).toMatch(/^pinned /);
  expect((await gc("--keep-last", "1")).stdout).toMatch(/^nothing to free\n/);
  expect((await gc("--unpin", "last~1")).code).toBe(0);

  const dry = JSON.parse((await gc("--keep-last", "1", "--dry-run", "--json")).stdout);
  const freed = await gc("--keep-last", "1");
  expect(freed.stdout).toMatch(/objects +2 /);
  expect(freed.stdout).toMatch(/runs +1 /);
  expect(dry.freedBytes).toBeGreaterThan(0);
  expect((await gc("--keep-last", "1")).stdout).toMatch(/^nothing to free\n/);
  expect((await run()).outcomes).toEqual({ say: "fresh" });
  project.edit("say.yaml", "echo two", "echo one");
  expect((await run()).outcomes).toEqual({ say: "ran" });
});

test("limits that are no limits are refused", async () => {
  const { code, stderr } = await gc("--older-than", "30");
  expect(code).toBe(2);
  expect(stderr).toContain("--older-than 30: a number and one of h, d, w is needed");
});

test("while a run goes on nothing is freed", async () => {
  project.edit("say.yaml", "echo one", "while [ ! -e $GO ]; do sleep 0.05; done; echo one");
  project.edit("say.yaml", "name: say", "name: say\nenv: [GO]");
  const going = project.start(["run", "say.yaml", "--json"], { GO: project.path("go") });
  await going.event(({ type }) => type === "stage-started");
  const refused = await gc();
  const looked = await gc("--dry-run");
  project.write("go", "");
  expect((await going.result).outcomes).toEqual({ say: "ran" });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("a run is going on (process ");
  expect(looked.code).toBe(0);
});
