/** A store that is read-only, full or out of reach: what can be done is done, and what cannot be is said, once. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { PuppetRunner } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

const store = () => join(runner.folder, "artifacts", ".store");
const chain = (text: string) => ({
  first: { params: { text } },
  second: { params: { text: "b" }, inputs: { from: "first" } },
});

/** Every change below a folder is refused; `reads` too: then it is out of reach. */
function refusing(folder: string, code: string, reads = false): FileSystem {
  const refuse = (path: string): void => {
    const isBelow = path === folder || path.startsWith(`${folder}/`);
    if (isBelow) throw Object.assign(new Error(`${code}: refused, ${path}`), { code, path });
  };
  const look = reads ? refuse : () => {};
  const { ...real } = nodeFileSystem;
  return {
    ...real,
    stat(path) {
      look(path);
      return real.stat(path);
    },
    list(path) {
      look(path);
      return real.list(path);
    },
    read(path) {
      look(path);
      return real.read(path);
    },
    readText(path) {
      look(path);
      return real.readText(path);
    },
    makeFolder(path) {
      if (reads || !existsSync(path)) refuse(path);
      real.makeFolder(path);
    },
    writeNew(path, bytes) {
      refuse(path);
      real.writeNew(path, bytes);
    },
    append(path, text) {
      refuse(path);
      real.append(path, text);
    },
    copy(from, to) {
      refuse(to);
      real.copy(from, to);
    },
    rename(from, to) {
      refuse(from);
      refuse(to);
      real.rename(from, to);
    },
    remove(path) {
      if (existsSync(path)) refuse(path);
      real.remove(path);
    },
    setMode(path, mode) {
      refuse(path);
      real.setMode(path, mode);
    },
    touch(path) {
      refuse(path);
      real.touch(path);
    },
  };
}

const cannotBeWritten = (reason: string) => [
  expect.stringMatching(new RegExp(`^the store cannot be written: ${reason} .*; what this run makes is placed`)),
];

describe.each([
  ["EROFS", "the file system is read-only", false],
  ["EACCES", "permission denied", false],
  ["ENOSPC", "the disk is full", false],
  ["ESTALE", "the file system cannot be reached", true],
])("a store that says %s", (code, reason, reads) => {
  const openRefusing = () => runner.workspace(refusing(store(), code, reads));

  test("runs what has to run, puts it in place, says once that it is not kept, and leaves nothing", async () => {
    await runner.run(chain("a"));
    const result = await runner.run(chain("z"), { workspace: await openRefusing() });
    expect(result.outcomes).toEqual({ first: "ran", second: "ran" });
    expect(runner.visible("second")).toBe("bfrom(z)");
    expect(result.warnings).toEqual(cannotBeWritten(reason));
    expect(readdirSync(join(runner.folder, "artifacts"))).toEqual([".store", "puppets"]);
    // Nothing was kept, so once it can be written, all that was not kept runs again.
    expect((await runner.run(chain("z"))).outcomes).toEqual({ first: "ran", second: "ran" });
  });
});

describe.each(["EROFS", "ENOSPC"])("with what is in it, a store that says %s", (code) => {
  const openRefusing = () => runner.workspace(refusing(store(), code));

  test("has nothing to do where nothing is to be done", async () => {
    await runner.run(chain("a"));
    const workspace = await openRefusing();
    expect(await runner.plan(chain("a"), workspace)).toEqual({ first: "fresh", second: "fresh" });
    const result = await runner.run(chain("a"), { workspace });
    expect(result.outcomes).toEqual({ first: "fresh", second: "fresh" });
  });

  test("still gives back what it has", async () => {
    await runner.run(chain("a"));
    rmSync(join(runner.folder, "artifacts", "puppets"), { recursive: true });
    const result = await runner.run(chain("a"), { workspace: await openRefusing() });
    expect(result.outcomes).toEqual({ first: "restored", second: "restored" });
    expect(runner.visible("second")).toBe("bfrom(a)");
  });

  test("has a damaged object made again beside it", async () => {
    const made = await runner.run(chain("a"));
    const workspace = await openRefusing();
    const [listed] = workspace.artifacts.listing(made.records[0]!.outputs.out!.digest)!.files;
    const path = workspace.layout.object(listed!.digest);
    rmSync(path);
    const stages = { ...chain("a"), second: { params: { text: "c" }, inputs: { from: "first" } } };
    const result = await runner.run(stages, { workspace });
    expect(result.outcomes).toEqual({ first: "ran", second: "ran" });
    expect(runner.visible("second")).toBe("cfrom(a)");
  });
});

test("a store that fills up in the middle is left from then on, and what was kept before stays kept", async () => {
  let isFull = false;
  const { writeNew } = nodeFileSystem;
  const full = await runner.workspace({
    ...nodeFileSystem,
    writeNew(path, bytes) {
      if (isFull && path.startsWith(`${store()}/`))
        throw Object.assign(new Error("ENOSPC: refused"), { code: "ENOSPC", path });
      writeNew(path, bytes);
    },
  });
  const result = await runner.run(chain("a"), {
    workspace: full,
    onEvent(event) {
      if (event.type === "stage-finished" && event.stage === "first") isFull = true;
    },
  });
  expect(result.outcomes).toEqual({ first: "ran", second: "ran" });
  expect(result.warnings.filter((line) => line.startsWith("the store cannot be written"))).toHaveLength(1);
  expect((await runner.run(chain("a"))).outcomes).toEqual({ first: "fresh", second: "ran" });
});

test("where nothing can be written at all, the stage fails and says that its outputs cannot be staged", async () => {
  const artifacts = join(runner.folder, "artifacts");
  await runner.run(chain("a"));
  const workspace = await runner.workspace(refusing(artifacts, "EROFS"));
  expect((await runner.run(chain("a"), { workspace })).outcomes).toEqual({ first: "fresh", second: "fresh" });
  const { records, warnings } = await runner.run(chain("z"), { workspace });
  expect(records[0]!.failure?.message).toMatch(
    /^its outputs cannot be staged: the file system is read-only \(.*\.store/,
  );
  expect(records[0]!.failure?.help).toContain("--artifacts names another folder");
  expect(warnings).toEqual([expect.stringMatching(/nor can the folder beside it, so no stage can run$/)]);
  expect(runner.visible("second")).toBe("bfrom(a)");
});

test("where there is no store and none can be made, plans are made all the same", async () => {
  const workspace = await runner.workspace(refusing(join(runner.folder, "artifacts"), "EROFS"));
  expect(await runner.plan(chain("a"), workspace)).toEqual({ first: "run", second: "pending" });
  const { records } = await runner.run(chain("a"), { workspace });
  expect(records[0]!.failure?.message).toMatch(/cannot be staged: the file system is read-only/);
});
