/** `pipe check --rebuild` with the real program: what is attested is made again in a clone, without the store that made it. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { cpSync, readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { FrozenJson } from "../../src/cli/check-frozen.ts";
import { makeStatement, signStatement } from "../../src/identity/attestation.ts";
import { readLock, renderLock } from "../../src/identity/lock-text.ts";
import { Project } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

const pem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
const publicPem = (key: KeyObject) => createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
const ATTESTATION = "words.attestation.json";

const key = generateKeyPairSync("ed25519").privateKey;
/** As most tests need it. */
let plain: Project;
let clone: Project;
beforeAll(async () => {
  plain = await attest(() => {});
});
afterAll(() => plain.remove());
afterEach(() => clone.remove());

/** Run, locked, attested. */
async function attest(edit: (project: Project) => void): Promise<Project> {
  const project = createWordsProject();
  edit(project);
  project.write("key.pem", pem(key));
  for (const args of [["run"], ["lock"], ["attest", "--key", "key.pem"]]) {
    const [command, ...rest] = args as [string, ...string[]];
    expect(await project.run([command, "words.yaml", ...rest])).toMatchObject({ code: 0 });
  }
  return project;
}

/** Without the store that made it. */
function cloneOf(project: Project, files: readonly string[]): Project {
  clone = new Project();
  for (const file of ["words.yaml", "words.lock.yaml", ATTESTATION, ...files]) clone.write(file, project.read(file));
  clone.write("trusted-keys.pem", publicPem(key));
  return clone;
}

/** Of an edited pipeline. */
async function cloneOfEdited(files: readonly string[], edit: (project: Project) => void): Promise<Project> {
  const project = await attest(edit);
  cloneOf(project, files);
  project.remove();
  return clone;
}

const check = (copy: Project, ...args: readonly string[]) =>
  copy.run(["check", "words.yaml", "--attestation", ATTESTATION, ...args]);

describe("in a clone with the inputs", () => {
  test("every stage comes out as it is attested, and nothing of it stays", async () => {
    const copy = cloneOf(plain, ["text.txt"]);
    const { code, stdout, stderr } = await check(copy, "--rebuild", "100%", "--seed", "1");
    expect(stderr).toBe("");
    expect(stdout).toContain("words.attestation.json holds");
    expect(stdout.match(/✓ \w+ +identical/g)).toHaveLength(4);
    expect(stdout).toMatch(/^rebuilt 4 of 4 stages.*: 4 identical \(--rebuild 100% --seed 1\)$/m);
    expect(code).toBe(0);
    expect(readdirSync(copy.path("artifacts"))).toEqual([".store"]);
    expect(readdirSync(copy.path("artifacts/.store/objects"))).toEqual([]);
  });

  test("a sample is of the seed, and what it needs is made with it", async () => {
    const copy = cloneOf(plain, ["text.txt"]);
    const rebuilt = async (seed: number) => {
      const { code, stdout } = await check(copy, "--rebuild", "25%", "--seed", String(seed), "--json");
      expect(code).toBe(0);
      return (JSON.parse(stdout) as FrozenJson).rebuilt!;
    };
    const drawn = new Set<string>();
    for (const seed of [0, 1]) {
      const { stages, wanted, of } = await rebuilt(seed);
      expect([wanted, of]).toEqual([1, 4]);
      expect(stages.filter(({ neededBy }) => neededBy === undefined)).toHaveLength(1);
      const names = stages.map(({ stage }) => stage);
      expect(["upper", "upper,other", "upper,twice", "upper,twice,count"]).toContain(names.join());
      expect((await rebuilt(seed)).stages.map(({ stage }) => stage)).toEqual(names);
      drawn.add(names.join());
    }
    expect(drawn.size).toBe(2);
  });

  test("what comes out otherwise is told, and the check ends with 4", async () => {
    const dice = (project: Project) => project.edit("words.yaml", /rev "[^"]+"/, "head -c 8 /dev/urandom");
    const copy = await cloneOfEdited(["text.txt"], dice);
    const { code, stdout } = await check(copy, "--rebuild", "100%");
    expect(code).toBe(4);
    expect(stdout).toMatch(/^✗ other +differs/m);
    expect(stdout).toContain("3 identical, 1 differs");
    const { rebuilt } = JSON.parse((await check(copy, "--rebuild", "100%", "--json")).stdout) as FrozenJson;
    expect(rebuilt!.exitCode).toBe(4);
    expect(rebuilt!.stages.find(({ stage }) => stage === "other")).toMatchObject({
      verdict: "differs",
      differences: [{ output: "out" }],
    });
  });

  test("a signed digest that no run ever gave is found, which the chain alone cannot", async () => {
    const copy = cloneOf(plain, ["text.txt"]);
    const lock = readLock(copy.read("words.lock.yaml"))!;
    const [results] = lock.results;
    const out = { ...results!.stages.count!.outputs.out!, digest: "0".repeat(64) };
    const stages = { ...results!.stages, count: { ...results!.stages.count!, outputs: { out } } };
    const forged = { ...lock, results: [{ ...results!, stages }] };
    const text = renderLock(forged);
    copy.write("words.lock.yaml", text);
    const statement = makeStatement({ lock: forged, text, name: "words.lock.yaml" }, "0.1.0");
    copy.write(ATTESTATION, signStatement(statement, pem(key)));
    expect((await check(copy)).code).toBe(0);
    const { code, stdout } = await check(copy, "--rebuild", "100%");
    expect(stdout).toMatch(/^✗ count +differs/m);
    expect(stdout).toContain("000000000000 -> ");
    expect(code).toBe(4);
  });
});

describe("in a clone without the inputs", () => {
  test("nothing can be rebuilt: that is said with why, and ends with 4", async () => {
    const copy = cloneOf(plain, []);
    expect((await check(copy)).code).toBe(0);
    const { code, stdout, stderr } = await check(copy, "--rebuild", "20%");
    expect(code).toBe(4);
    expect(stdout).toContain("passed over: upper: its input ./text.txt is not here");
    expect(stdout).toContain("passed over: twice: it reads upper, which is not in the store: its input ./text.txt");
    expect(stderr).toContain("error: 1 stage was to be rebuilt, and none could be here");
  });

  test("a stage that needs none takes the place of one that does; too few are an error", async () => {
    const own = (project: Project) =>
      project.edit(
        "words.yaml",
        "  other:",
        `  alone:
    outputs: { out: alone.txt }
    run: echo alone > "\${outputs.out}"
  other:`,
      );
    const copy = await cloneOfEdited([], own);
    for (const seed of ["1", "2"]) {
      const { code, stdout } = await check(copy, "--rebuild", "20%", "--seed", seed);
      expect(stdout).toMatch(/^✓ alone +identical/m);
      expect(stdout).toContain(`rebuilt 1 of 5 stages: 1 identical (--rebuild 20% --seed ${seed})`);
      expect(code).toBe(0);
    }
    const { code, stderr } = await check(copy, "--rebuild", "40%");
    expect(stderr).toContain("2 stages were to be rebuilt, and only 1 could be here");
    expect(code).toBe(4);
  });

  test("what the store still has of what a stage reads is enough", async () => {
    const copy = cloneOf(plain, []);
    cpSync(plain.path("artifacts"), copy.path("artifacts"), { recursive: true });
    const { code, stdout } = await check(copy, "--rebuild", "75%");
    expect(stdout).toContain("rebuilt 3 of 4 stages: 3 identical");
    expect(code).toBe(0);
  });
});

test("a chain that does not hold is not rebuilt, and a share that is none is refused", async () => {
  const copy = cloneOf(plain, ["text.txt"]);
  copy.write("trusted-keys.pem", "# none\n");
  const { code, stdout, stderr } = await check(copy, "--rebuild", "100%");
  expect(code).toBe(4);
  expect(stderr).toContain("nothing was rebuilt");
  expect(stdout).not.toContain("identical");
  for (const args of [
    ["--rebuild", "0%"],
    ["--rebuild", "some"],
    ["--rebuild", "20%", "--seed", "x"],
    ["--seed", "1"],
  ])
    expect((await check(copy, ...args)).code).toBe(2);
  // Without an attestation it is what is locked that is made again.
  expect((await copy.run(["check", "words.yaml", "--rebuild", "50%"])).stdout).toContain("rebuilt 2 of 4 stages");
});
