/** What people and disks do to results: visible files edited and deleted, objects and traces of the store spoilt. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Says what it did; undefined where there was nothing to do it to. */
export function spoilVisible(folder, draw) {
  const path = pick(filesBelow(folder), draw);
  if (path === undefined) return undefined;
  const name = relative(folder, path);
  switch (draw(6)) {
    case 0:
      writeFileSync(path, "edited by hand\n");
      return `${name} edited`;
    case 1:
      writeFileSync(path, flipped(readFileSync(path), draw));
      return `a bit of ${name} flipped`;
    case 2:
      rmSync(path);
      return `${name} deleted`;
    case 3:
      rmSync(path);
      mkdirSync(path);
      return `${name} is a folder now`;
    case 4:
      rmSync(join(folder, name.split("/")[0]), { recursive: true });
      return `the results of ${name.split("/")[0]} deleted`;
    default:
      rmSync(folder, { recursive: true });
      return "all results deleted";
  }
}

export function spoilStore(store, draw) {
  const isTrace = draw(3) === 0;
  const path = pick(filesBelow(join(store, isTrace ? "traces" : "objects")), draw);
  if (path === undefined) return undefined;
  const name = relative(store, path);
  const bytes = readFileSync(path);
  switch (draw(4)) {
    case 0:
      rmSync(path);
      return `${name} deleted`;
    case 1:
      rmSync(join(store, "memo"), { recursive: true, force: true });
      return "the memo deleted";
    case 2:
      chmodSync(path, 0o644);
      writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
      return `${name} cut short`;
    default:
      chmodSync(path, 0o644);
      writeFileSync(path, flipped(bytes, draw));
      return `a bit of ${name} flipped`;
  }
}

export function filesBelow(folder) {
  let names;
  try {
    names = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return names.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

export function sizeOf(folder) {
  return filesBelow(folder).reduce((sum, path) => sum + statSync(path).size, 0);
}

function pick(values, draw) {
  return values.length === 0 ? undefined : values.sort()[draw(values.length)];
}

function flipped(bytes, draw) {
  const copy = Uint8Array.from(bytes);
  if (copy.length > 0) copy[draw(copy.length)] ^= 1 << draw(8);
  return copy;
}
