/** How pipelines are kept; what makes a kept one stale is in test/e2e/kept-pipeline.test.ts. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openKeptPipelines, sealPipeline } from "../../src/cli/kept-pipeline.ts";
import type { Pipeline } from "../../src/language/pipeline.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";

let store: string;
beforeEach(() => {
  store = mkdtempSync(join(tmpdir(), "kept-"));
});
afterEach(() => rmSync(store, { recursive: true }));

const pipeline: Pipeline = {
  name: "small",
  file: "small.yaml",
  folder: "/",
  profiles: [],
  availableProfiles: [],
  params: {},
  stages: [],
};
const sealed = sealPipeline({ texts: [], environment: {}, paths: [], modules: {} }, pipeline);
const question = (param: string) => ({
  source: { file: "small.yaml", folder: "/" },
  profiles: [],
  overrides: [param],
  workingFolder: "/",
  build: "1",
});
const open = () => {
  let count = 0;
  return openKeptPipelines(nodeFileSystem, store, () => `t${++count}`);
};

test("a found pipeline has the digest that it was kept with", async () => {
  for (const folder of ["memo", "tmp"]) mkdirSync(join(store, folder));
  const kept = open();
  expect(kept.keep(question("a=1"), sealed)).toBe(true);
  const found = await kept.find(question("a=1"), {}, () => Promise.reject(new Error("no stages of the user's own")));
  expect(found).toMatchObject({ pipeline, digest: sealed.digest });
});

test("nothing is kept where there is no store", () => {
  expect(open().keep(question("a=1"), sealed)).toBe(false);
  expect(readdirSync(store)).toEqual([]);
});

test("however many params are tried, only the newest pipelines stay", async () => {
  for (const folder of ["memo", "tmp"]) mkdirSync(join(store, folder));
  const kept = open();
  for (let at = 0; at < 150; at++) kept.keep(question(`a=${at}`), sealed);
  expect(readdirSync(join(store, "memo")).length).toBeLessThanOrEqual(64);
  expect(await kept.find(question("a=149"), {}, () => Promise.reject(new Error("none")))).toBeDefined();
});
