/** Signed statements of locks, with the real program: what holds, and every way in which one does not. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Project } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

const pem = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
const publicPem = (key: KeyObject) => createPublicKey(key).export({ type: "spki", format: "pem" }).toString();

let project: Project;
let key: KeyObject;
beforeEach(async () => {
  project = createWordsProject();
  key = generateKeyPairSync("ed25519").privateKey;
  project.write("key.pem", pem(key));
  await project.run(["run", "words.yaml"]);
  await project.run(["lock", "words.yaml"]);
});
afterEach(() => project.remove());

const attest = (...args: readonly string[]) => project.run(["attest", "words.yaml", ...args]);

/** A clone with the public keys, and without data. */
function clone(trusted: string): Project {
  const copy = new Project();
  for (const file of ["words.yaml", "words.lock.yaml", "words.attestation.json"]) copy.write(file, project.read(file));
  copy.write("trusted-keys.pem", trusted);
  return copy;
}

const check = (copy: Project) => copy.run(["check", "words.yaml", "--attestation", "words.attestation.json"]);

test("what a trusted key signed holds in a clone, and names inputs, outputs, code and platform", async () => {
  const { code, stdout } = await attest("--key", "key.pem");
  expect([code, stdout]).toEqual([0, "words.attestation.json was written: a signed statement of words.lock.yaml\n"]);
  const text = project.read("words.attestation.json");
  const { payload } = JSON.parse(text) as { payload: string };
  const statement = JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
  expect(statement).toMatchObject({
    _type: "https://in-toto.io/Statement/v1",
    predicateType: "https://slsa.dev/provenance/v1",
  });
  expect(statement.subject.map(({ name }: { name: string }) => name)).toEqual([
    "words/count/out",
    "words/other/out",
    "words/twice/out",
    "words/upper/out",
  ]);
  const { internalParameters, resolvedDependencies } = statement.predicate.buildDefinition;
  expect(internalParameters.stages["words/upper"]).toMatchObject({
    uses: "run",
    machine: expect.stringMatching(/^\w+-/),
  });
  expect(resolvedDependencies.map(({ uri }: { uri?: string }) => uri)).toContain("./text.txt");
  const other = generateKeyPairSync("ed25519").privateKey;
  const copy = clone(`# CI\n${publicPem(other)}# the one\n${publicPem(key)}`);
  const checked = await check(copy);
  expect([checked.code, checked.stdout]).toEqual([
    0,
    expect.stringContaining("words.attestation.json holds: signed by"),
  ]);
  copy.remove();
  // The key may come from the environment; the same lock and key give the same bytes.
  await project.run(["attest", "words.yaml", "-o", "again.json"], { TFPIPE_SIGNING_KEY: pem(key) });
  expect(project.read("again.json")).toBe(text);
});

describe("does not hold", () => {
  const spoil: readonly (readonly [string, (copy: Project) => void, string])[] = [
    [
      "where no trusted key has signed it",
      (copy) => copy.write("trusted-keys.pem", publicPem(generateKeyPairSync("ed25519").privateKey)),
      "no trusted key has signed it",
    ],
    ["where no key is trusted", (copy) => copy.write("trusted-keys.pem", "# none\n"), "no key is trusted here"],
    [
      "where a byte of the statement was changed",
      (copy) => {
        const envelope = JSON.parse(copy.read("words.attestation.json")) as { payload: string };
        const payload = Buffer.from(envelope.payload, "base64").toString("utf8").replace("words/count", "words/Count");
        copy.write(
          "words.attestation.json",
          JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString("base64") }),
        );
      },
      "no trusted key has signed it, or it was changed since",
    ],
    [
      "where the lock is another one",
      (copy) => copy.edit("words.lock.yaml", /sizeBytes: \d+/, "sizeBytes: 999"),
      "it is of another state of words.lock.yaml",
    ],
    [
      "where it is of another payload type",
      (copy) => copy.edit("words.attestation.json", "vnd.in-toto", "vnd.other"),
      "its payload is",
    ],
    ["where it is none", (copy) => copy.write("words.attestation.json", "{}"), "it is no signed envelope"],
    ["where it is no JSON", (copy) => copy.write("words.attestation.json", "-----"), "it is no signed envelope"],
  ];
  test.each(spoil)("%s, and the check ends with 4", async (_, damage, reason) => {
    await attest("--key", "key.pem");
    const copy = clone(publicPem(key));
    damage(copy);
    const { code, stderr } = await check(copy);
    expect([code, stderr]).toEqual([4, expect.stringContaining(`words.attestation.json does not hold: ${reason}`)]);
    copy.remove();
  });
});

test("only what the store has seen made is signed, and only with an Ed25519 key", async () => {
  expect(await attest()).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no key to sign with") });
  project.write("rsa.pem", pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey));
  expect(await attest("--key", "rsa.pem")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Ed25519 is asked for"),
  });
  expect(await attest("--key", "words.yaml")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no private key in it"),
  });
  project.edit("words.lock.yaml", /sizeBytes: \d+/, "sizeBytes: 999");
  expect(await attest("--key", "key.pem")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("no such result of count"),
  });
});
