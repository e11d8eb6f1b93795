/**
 * A layer between a process and its disk, loaded before the program (`node --import`): it numbers the changes that the
 * program is about to make below one folder, and at a given number kills the process or refuses, as a power cut, a full, a
 * dying or a read-only disk does.
 *
 * What must stay true: every change is numbered. So the functions of `node:fs` that change something are all replaced, and
 * one that has no number of its own throws. A change of several steps (a write, a copy, the removal of a folder) has two
 * numbers: before it, and in the middle of it.
 *
 * TFPIPE_FAULTS is JSON: { root, fault, at?, log?, stale? }. `fault` is `count`, `kill`, `ENOSPC`, `EIO`, `EROFS`,
 * `no-links`, `clock-back` or `stale`; `log` gets what was numbered, when the process ends by itself; of the path in `stale`
 * the stat is what is given there.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";

const { root, fault, at = 0, log, stale } = JSON.parse(process.env.TFPIPE_FAULTS);
const real = { ...fs };
const changes = [];
const opened = new Map();
let inside = false;

const isOurs = (path) => typeof path === "string" && `${resolve(path)}/`.startsWith(`${root}/`);
const exists = (path) => real.lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function refusal(code, name, path) {
  const error = new Error(`${code}: refused by the test, ${name} '${path}'`);
  return Object.assign(error, { code, errno: -1, syscall: name, path });
}

/** `half` does a part of the change. Absent: there are no parts. */
function number(name, path, half, effective) {
  if (fault === "kill" || fault === "count") {
    if (!effective()) return;
    for (const step of half === undefined ? [undefined] : [undefined, half]) {
      changes.push(`${step === undefined ? "" : "half of "}${name} ${path}`);
      if (fault !== "kill" || changes.length !== at) continue;
      step?.();
      process.kill(process.pid, "SIGKILL");
    }
    return;
  }
  if (!REFUSED[fault]?.(name, effective)) return;
  changes.push(`${name} ${path}`);
  // A bad block fails once; a disk that is full or read-only stays so.
  const isFirst = changes.length === at;
  if (fault === "EIO" ? !isFirst : changes.length < at) return;
  if (isFirst && name === "write") half?.();
  throw refusal(fault === "no-links" ? "EPERM" : fault, name, path);
}

/** What each kind of refusal refuses. */
const REFUSED = {
  ENOSPC: (name, effective) => name !== "rm" && effective(),
  EIO: (name, effective) => name === "fsync" || effective(),
  EROFS: (name, effective) => name !== "fsync" && (name === "open" || effective()),
  "no-links": (name) => name === "link" || name === "symlink" || name === "clone",
};

const always = () => true;
const MODE_BITS = 0o7777;

/** By function of `node:fs`: what it changes, whether it does, and half of it. */
const CHANGES = {
  openSync(path, flags = "r") {
    if (flags === "r" || flags === fs.constants.O_RDONLY) return undefined;
    const willChange = () => !exists(path) || (flags === "w" && real.statSync(path).size > 0);
    return { name: "open", path, effective: willChange };
  },
  writeSync(file, data, ...rest) {
    const path = opened.get(file);
    const half = () => {
      if (typeof data === "string") real.writeSync(file, data.slice(0, data.length >> 1));
      else {
        const [offset = 0, length = data.byteLength - offset, position = null] = rest;
        real.writeSync(file, data, offset, length >> 1, position);
      }
    };
    return { name: "write", path, half };
  },
  writeFileSync: (path, data, options) => ({
    name: "write",
    path,
    half: () => real.writeFileSync(path, data.slice(0, data.length >> 1), options),
  }),
  appendFileSync: (path, data) => ({
    name: "append",
    path,
    half: () => real.appendFileSync(path, data.slice(0, data.length >> 1)),
  }),
  fsyncSync: (file) => ({ name: "fsync", path: opened.get(file), effective: () => false }),
  renameSync: (from, to) => ({ name: "rename", path: to, effective: () => exists(from) }),
  linkSync: (_from, to) => ({ name: "link", path: to }),
  symlinkSync: (_from, to) => ({ name: "symlink", path: to }),
  utimesSync: (path) => ({ name: "utimes", path }),
  truncateSync: (path) => ({ name: "truncate", path }),
  unlinkSync: (path) => ({ name: "rm", path }),
  rmdirSync: (path) => ({ name: "rm", path }),
  mkdtempSync: (path) => ({ name: "mkdir", path }),
  chmodSync: (path, mode) => ({
    name: "chmod",
    path,
    effective: () => exists(path) && (real.statSync(path).mode & MODE_BITS) !== mode,
  }),
  mkdirSync(path) {
    const missing = [];
    for (let folder = path; !exists(folder); folder = dirname(folder)) missing.unshift(folder);
    const half = missing.length < 2 ? undefined : () => real.mkdirSync(missing[0]);
    return { name: "mkdir", path, half, effective: () => missing.length > 0 };
  },
  copyFileSync: (from, to, mode = 0) => ({
    name: (mode & fs.constants.COPYFILE_FICLONE_FORCE) !== 0 ? "clone" : "copy",
    path: to,
    half: () => real.writeFileSync(to, real.readFileSync(from).subarray(0, real.statSync(from).size >> 1)),
  }),
  rmSync(path) {
    const inner = firstFile(path);
    const half = inner === undefined ? undefined : () => real.unlinkSync(inner);
    return { name: "rm", path, half, effective: () => exists(path) };
  },
};

/** The first file anywhere in a folder. */
function firstFile(folder) {
  if (!real.lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  for (const entry of real.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const found = entry.isDirectory() ? firstFile(path) : path;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Functions that only look, or that end what another one began. */
const HARMLESS =
  /^(access|close|exists|fstat|lstat|opendir|read|readdir|readFile|readlink|readv|realpath|stat|statfs|watch|unwatch|createReadStream|openAsBlob|glob|_to)/;

function watch(target, name, original, described) {
  target[name] = (...args) => {
    if (inside) return original(...args);
    const change = described?.(...args);
    const path = described === undefined ? (opened.get(args[0]) ?? args[0]) : change?.path;
    if (isOurs(path)) {
      if (described === undefined) throw new Error(`the fault layer does not number ${name} of ${path}`);
      number(change.name, path, change.half, change.effective ?? always);
    }
    inside = true;
    try {
      const result = original(...args);
      if (name === "openSync" && isOurs(args[0])) opened.set(result, args[0]);
      if (name === "closeSync") opened.delete(args[0]);
      return result;
    } finally {
      inside = false;
    }
  };
}

/** Of one path the stat that it had: what is on the disk has changed, and nothing shows it. */
function keepStat(name) {
  const original = real[name];
  const path = stale.path;
  fs[name] = (...args) => {
    const stat = original(...args);
    if (args[0] !== path || stat === undefined || typeof stat.size !== "bigint") return stat;
    const { mtimeNs, ctimeNs, ino } = stale;
    return Object.assign(stat, { mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs), ino: BigInt(ino) });
  };
}

/** A clock that is a minute further back at each look. */
function turnClockBack() {
  const RealDate = Date;
  let looks = 0;
  const now = () => RealDate.now() - 60_000 * ++looks;
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      super(...(args.length === 0 ? [now()] : args));
    }
    static now = now;
  };
}

if (isMainThread) {
  for (const [name, value] of Object.entries(real)) {
    const described = CHANGES[name];
    if (typeof value !== "function" || /^[A-Z]/.test(name)) continue;
    if (described !== undefined || name === "closeSync") watch(fs, name, value, described ?? (() => undefined));
    else if (!HARMLESS.test(name) && name !== "open") watch(fs, name, value, undefined);
  }
  for (const [name, value] of Object.entries(real.promises)) {
    const reads = (...args) => (name === "open" && (args[1] ?? "r") === "r" ? undefined : { path: args[0] });
    if (typeof value === "function" && !HARMLESS.test(name)) {
      const original = value.bind(real.promises);
      fs.promises[name] = (...args) => {
        const change = reads(...args);
        if (!inside && change !== undefined && isOurs(change.path))
          throw new Error(`the fault layer does not number promises.${name} of ${change.path}`);
        return original(...args);
      };
    }
  }
  if (stale !== undefined) for (const name of ["lstatSync", "statSync"]) keepStat(name);
  syncBuiltinESMExports();
  if (fault === "clock-back") turnClockBack();
  if (log !== undefined) process.on("exit", () => real.writeFileSync(log, JSON.stringify(changes)));
}
