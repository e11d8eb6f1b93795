/** What was trained and attested is trained again in a clone that has the images and no store, and comes out the same. */

import { generateKeyPairSync } from "node:crypto";
import { cpSync } from "node:fs";
import { expect, test } from "vitest";
import { resolveEngine } from "../../src/ml/engine/catalogue.ts";
import { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

const native = resolveEngine("native");

test.each([
  ["wasm", "{ name: wasm, threads: 1 }"],
  ["auto", "auto"],
  ...("problem" in native ? [] : [["native", "{ name: native, threads: 2 }"] as const]),
] as const)("on %s", async (_, engine) => {
  const project = await createTinyProject();
  project.write(
    "pipelines/tiny.yaml",
    project.read("pipelines/tiny.yaml").replace("{ name: wasm, threads: 1 }", engine),
  );
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  project.write("key.pem", privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  for (const args of [
    ["run", "tiny"],
    ["lock", "tiny"],
    ["attest", "tiny", "--key", "key.pem"],
  ])
    expect((await project.run(args)).code).toBe(0);
  const clone = new Project();
  for (const folder of ["pipelines", "data"]) cpSync(project.path(folder), clone.path(folder), { recursive: true });
  clone.write("pipelines/trusted-keys.pem", publicKey.export({ type: "spki", format: "pem" }).toString());
  const statement = "pipelines/tiny.attestation.json";
  const { code, stdout, stderr } = await clone.run(["check", "tiny", "--attestation", statement, "--rebuild", "100%"]);
  expect(stdout, stderr).toContain("rebuilt 7 of 7 stages: 7 identical");
  expect(code).toBe(0);
  project.remove();
  clone.remove();
});
