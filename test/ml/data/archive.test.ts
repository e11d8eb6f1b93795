import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { ARCHIVE_LIMITS, openArchive } from "../../../src/ml/data/archive.ts";
import { crc32 } from "../../../src/ml/data/crc32.ts";
import { temporaryFolder } from "../../bundle-worker.ts";
import { makeTar, makeZip, type TarEntry } from "./make-archive.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
let files = 0;
function onDisk(bytes: Uint8Array): string {
  const path = join(folder.path, `${++files}.bin`);
  writeFileSync(path, bytes);
  return path;
}
const openBytes = (bytes: Uint8Array, limits = {}) =>
  openArchive(onDisk(bytes), "data", { ...ARCHIVE_LIMITS, ...limits });
const openTar = async (...entries: TarEntry[]) => openBytes(await makeTar(entries));

const honest: TarEntry[] = [
  { name: "./a/", type: "directory" },
  { name: "./a/one.txt", content: "1" },
  { name: "a/long.txt", content: "x".repeat(70_000) },
  { name: `a/${"deep/".repeat(40)}three.txt`, content: "" },
];

describe("an archive", () => {
  it("is read alike as tar, tar.gz and zip", async () => {
    const tar = await makeTar(honest);
    const zip = makeZip(
      honest.flatMap(({ name, content }) => (content === undefined ? [] : [{ name: name.replace("./", ""), content }])),
    );
    for (const bytes of [tar, gzipSync(tar), zip]) {
      const tree = await openBytes(bytes);
      expect(tree.files).toEqual([
        { path: "a/one.txt", sizeBytes: 1 },
        { path: "a/long.txt", sizeBytes: 70_000 },
        { path: `a/${"deep/".repeat(40)}three.txt`, sizeBytes: 0 },
      ]);
      const read: [string, string][] = [];
      await tree.read(new Set(["a/long.txt", "a/one.txt"]), async (path, content) => {
        read.push([path, content.toString()]);
      });
      expect(read).toEqual([
        ["a/one.txt", "1"],
        ["a/long.txt", "x".repeat(70_000)],
      ]);
    }
  });

  it("hands on what goes wrong while it is read", async () => {
    const reason = new Error("stopped by the user");
    const tar = await makeTar(honest);
    for (const bytes of [tar, gzipSync(tar), makeZip([{ name: "a/one.txt", content: "1" }])]) {
      const failing = (await openBytes(bytes)).read(new Set(["a/one.txt"]), () => {
        throw reason;
      });
      await expect(failing).rejects.toBe(reason);
    }
  });

  it("hands on a file piece by piece, and stops early", async () => {
    const large = new Uint8Array(300_000).map((_, i) => i % 251);
    const entries = [
      { name: "a", content: "1" },
      { name: "large", content: large },
      { name: "z", content: "2" },
    ];
    const tar = await makeTar(entries);
    for (const bytes of [tar, gzipSync(tar), makeZip(entries)]) {
      const tree = await openBytes(bytes);
      const lengths: number[] = [];
      const whole = await tree.stream("large", async (pieces) => {
        const all: Buffer[] = [];
        for await (const piece of pieces) all.push(piece);
        lengths.push(...all.map(({ length }) => length));
        return Buffer.concat(all);
      });
      expect(whole.equals(large)).toBe(true);
      expect(lengths.length).toBeGreaterThan(1);
      const first = await tree.stream("large", async (pieces) => {
        for await (const piece of pieces) return piece[7];
        return undefined;
      });
      expect(first).toBe(7);
      const reason = new Error("the reader's own");
      await expect(
        tree.stream("large", async () => {
          throw reason;
        }),
      ).rejects.toBe(reason);
      await expect(tree.stream("nothing", async () => 1)).rejects.toThrow('there is no file "nothing" in data');
    }
    const damaged = await openBytes(makeZip([{ name: "a", content: "x", checksum: 1 }]));
    await expect(
      damaged.stream("a", async (pieces) => {
        for await (const _ of pieces);
      }),
    ).rejects.toThrow('data is damaged: the checksum of "a" does not match');
  });

  it.each([
    ["a way up", "a/../../x", "leads out of the archive"],
    ["an absolute path", "/etc/passwd", "is no relative path"],
    ["a drive", "C:/x", "is no relative path"],
    ["backslashes", "a\\..\\x", "is no relative path"],
  ])("with %s is refused", async (_what, name, problem) => {
    await expect(openTar({ name, content: "x" })).rejects.toThrow(problem);
    await expect(openBytes(makeZip([{ name, content: "x" }]))).rejects.toThrow(
      /data is damaged|leads out|no relative path/,
    );
  });

  it.each(["symlink", "link", "character-device", "block-device", "fifo"] as const)(
    "with a %s is refused",
    async (type) => {
      await expect(openTar({ name: "a/trap", type, linkname: "/etc/passwd" })).rejects.toThrow(
        `"a/trap" in data is no plain file but a ${type}`,
      );
    },
  );

  it("with a link or a device in a zip is refused", async () => {
    await expect(openBytes(makeZip([{ name: "l", content: "/etc", mode: 0o120777 }]))).rejects.toThrow("but a symlink");
    await expect(openBytes(makeZip([{ name: "d", content: "", mode: 0o020666 }]))).rejects.toThrow("but a device");
  });

  it("with a name that comes twice is refused", async () => {
    await expect(openTar({ name: "a", content: "1" }, { name: "./a", content: "2" })).rejects.toThrow(
      'holds "a" twice',
    );
  });

  it("that is encrypted is refused, by name", async () => {
    await expect(openBytes(makeZip([{ name: "secret", content: "x", encrypted: true }]))).rejects.toThrow(
      '"secret" in data is encrypted',
    );
  });

  it("that unpacks to far more than it has is refused before it is unpacked", async () => {
    const zeros = await makeTar([{ name: "zeros", content: new Uint8Array(3_000_000) }]);
    await expect(openBytes(gzipSync(zeros), { ratioFromBytes: 1_000_000 })).rejects.toThrow(
      "unpacks to over 100 times as many",
    );
    const zip = makeZip([{ name: "zeros", content: new Uint8Array(3_000_000) }]);
    await expect(openBytes(zip, { ratioFromBytes: 1_000_000 })).rejects.toThrow("unpacks to over 100 times as many");
    expect((await openBytes(gzipSync(zeros))).files).toHaveLength(1);
  });

  it("with too many or too large files is refused", async () => {
    const tar = await makeTar([
      { name: "a", content: "1" },
      { name: "b", content: "22" },
      { name: "c", content: "1" },
    ]);
    await expect(openBytes(tar, { entries: 2 })).rejects.toThrow("more than 2 files");
    const tree = await openBytes(tar, { fileBytes: 1 });
    await expect(tree.read(new Set(["a", "b"]), () => {})).rejects.toThrow(
      '"b" in data has 2 bytes, more than the 1 allowed',
    );
    // What is never whole in memory may be as large as it likes.
    expect(await tree.stream("b", collectText)).toBe("22");
    await expect(openBytes(tar, { totalBytes: 3 })).rejects.toThrow("more than the 3 bytes allowed");
  });

  it.each([0.2, 0.5, 0.9, 0.999])("that is cut off at %f of its length is refused", async (share) => {
    const random = Uint8Array.from({ length: 50_000 }, (_, i) => Math.imul(i, 2654435761) >>> 13);
    const tar = await makeTar([
      { name: "a", content: random },
      { name: "b", content: random },
    ]);
    for (const whole of [gzipSync(tar), tar]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      await expect(openBytes(cut)).rejects.toThrow(/damaged: it is cut off|is cut off: it does not end/);
    }
    const zip = makeZip([{ name: "a", content: random }]);
    await expect(openBytes(zip.subarray(0, Math.floor(zip.length * share)))).rejects.toThrow("data is damaged");
  });

  it("that is cut off between two entries is refused", async () => {
    const tar = await makeTar([
      { name: "a", content: "1".repeat(512) },
      { name: "b", content: "1" },
    ]);
    await expect(openBytes(tar.subarray(0, 1024))).rejects.toThrow("is cut off: it does not end as a tar archive does");
  });

  it("with a flipped bit is refused", async () => {
    const tar = await makeTar(honest);
    const gzip = gzipSync(tar);
    gzip[gzip.length - 6]! ^= 1;
    await expect(openBytes(gzip)).rejects.toThrow("data is damaged");
    const header = Buffer.from(tar);
    header[512 + 3]! ^= 1;
    await expect(openBytes(header)).rejects.toThrow("data is damaged");
    const tree = await openBytes(makeZip([{ name: "a", content: "x", checksum: 1 }]));
    await expect(tree.read(new Set(["a"]), () => {})).rejects.toThrow('the checksum of "a" does not match');
  });

  it.each([
    ["it is packed with bzip2", Buffer.from("BZh91AY")],
    ["it is packed with xz", Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
    ["it is a web page", Buffer.from("<!DOCTYPE html><title>404</title>")],
    ["it is empty", Buffer.alloc(0)],
    ["of no known kind", Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * i * 31 + 7) & 255))],
  ])("that is none is refused: %s", async (problem, bytes) => {
    await expect(openBytes(bytes)).rejects.toThrow(problem);
    await expect(openBytes(bytes)).rejects.toThrow("no .tar, .tar.gz or .zip archive");
  });

  it("of one packed file is no tar", async () => {
    await expect(openBytes(gzipSync(Buffer.from("just text ".repeat(200))))).rejects.toThrow("data is damaged");
  });
});

async function collectText(pieces: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece.toString("utf8");
  return text;
}

describe("crc32", () => {
  it("gives the check value of its specification", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(crc32(Buffer.from("6789"), crc32(Buffer.from("12345")))).toBe(0xcbf43926);
  });
});
