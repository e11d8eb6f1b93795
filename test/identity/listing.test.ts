import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestPath } from "../../src/identity/artifact-digest.ts";
import { digestFile } from "../../src/identity/digest.ts";
import { parseListing, renderListing } from "../../src/identity/listing.ts";
import { nodeFileSystem as files } from "../../src/platform/file-system.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "listing-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const digest = (path = folder) => digestPath(files, { digest: (file) => digestFile(files, file) }, path);

describe("the digest of a folder", () => {
  test("is that of a listing in code-unit order, with sizes, digests, empty folders and executable bits", async () => {
    mkdirSync(join(folder, "b/empty"), { recursive: true });
    writeFileSync(join(folder, "Z"), "z");
    writeFileSync(join(folder, "a"), "");
    writeFileSync(join(folder, "b/run.sh"), "#!");
    chmodSync(join(folder, "b/run.sh"), 0o755);
    writeFileSync(join(folder, "é"), "x");
    const { listing } = await digest();
    expect(renderListing(listing)).toBe(
      [
        "tfpipe/folder/1",
        '["Z","-",1,"594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06"]',
        '["a","-",0,"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]',
        '["b/empty","/"]',
        '["b/run.sh","x",2,"3612ddaf46e149a4f583faf0face846585148f59e0ce2645594df83b5dc807e8"]',
        '["é","-",1,"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"]',
        "",
      ].join("\n"),
    );
    expect(parseListing(renderListing(listing))).toEqual(listing);
  });

  test("moves with content, names and the executable bit, and not with times or other modes", async () => {
    writeFileSync(join(folder, "a"), "1");
    const before = (await digest()).digest;
    chmodSync(join(folder, "a"), 0o600);
    expect((await digest()).digest).toBe(before);
    chmodSync(join(folder, "a"), 0o700);
    const executable = (await digest()).digest;
    expect(executable).not.toBe(before);
    mkdirSync(join(folder, "new"));
    expect((await digest()).digest).not.toBe(executable);
  });

  test("is refused where the folder holds a link, by name", async () => {
    symlinkSync("/etc/passwd", join(folder, "link"));
    await expect(digest()).rejects.toThrow(/link is a link or a device/);
  });

  test("of a file is the sha256 of its bytes", async () => {
    writeFileSync(join(folder, "a"), "z");
    expect((await digest(join(folder, "a"))).digest).toBe(
      "594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06",
    );
  });
});
