/**
 * Makes pipelines/data/cifar10-sample.tar.gz out of CIFAR-10 as JPEG files (`train|test/<class>/<number>.jpg`): the first
 * 500 training and 100 test images of every class by name, their bytes unchanged. The same input gives the same archive:
 * entries are sorted and carry no times, owners or modes of this machine.
 *
 *     node scripts/make-sample.mjs <cifar10-jpeg.tar.gz>
 */
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { createGunzip, gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";

const IMAGES_PER_CLASS = { train: 500, test: 100 };
const target = join(import.meta.dirname, "..", "pipelines", "data", "cifar10-sample.tar.gz");

const source = process.argv[2];
if (source === undefined) {
  console.error("usage: node scripts/make-sample.mjs <cifar10-jpeg.tar.gz>");
  process.exit(2);
}

/** By split and class, the images by path. */
const groups = new Map();
for await (const entry of createReadStream(source).pipe(createGunzip()).pipe(extract())) {
  const match = /^(?:\.\/)?((train|test)\/[^/]+)\/[^/]+\.jpg$/.exec(entry.header.name);
  if (match === null) {
    entry.resume();
    continue;
  }
  const images = groups.get(match[1]) ?? new Map();
  images.set(entry.header.name.replace(/^\.\//, ""), await buffer(entry));
  groups.set(match[1], images);
}

const archive = pack();
for (const group of [...groups.keys()].sort()) {
  const images = groups.get(group);
  const wanted = IMAGES_PER_CLASS[group.split("/")[0]];
  if (images.size < wanted) throw new Error(`${group} has ${images.size} images, fewer than ${wanted}`);
  for (const path of [...images.keys()].sort().slice(0, wanted))
    archive.entry({ name: path, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }, images.get(path));
}
archive.finalize();

const bytes = gzipSync(await buffer(archive), { level: 9 });
await writeFile(target, bytes);
console.log(`${target}: ${bytes.length} bytes`);
