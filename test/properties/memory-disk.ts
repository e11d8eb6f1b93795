/**
 * A disk in memory behind the runner's port: quick, with a clock of its own, and it can lose power. It gives the same
 * answers and the same errors as the real one (memory-disk.test.ts compares them), so what holds on it is about the runner.
 *
 * Times come from a clock that ticks every few milliseconds, as file systems' do: two writes within a tick have equal times.
 */
import { basename, dirname, join } from "node:path";
import { type FileStat, type FileSystem, PLACED_EARLIER_MS, SEALED_MTIME_NS } from "../../src/platform/file-system.ts";

export interface FileNode {
  readonly kind: "file";
  readonly inode: bigint;
  bytes: Uint8Array;
  executable: boolean;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** As much of it as a loss of power leaves. */
  flushedBytes: number;
}

export interface FolderNode {
  readonly kind: "folder";
  readonly inode: bigint;
  readonly entries: Map<string, FileNode | FolderNode>;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

const TICK_NS = 4_000_000n;
const OPERATION_NS = 20_000n;

export class MemoryDisk implements FileSystem {
  /** Since 1970; may be set to any other time, as a user may. */
  nowNs = 1_800_000_000_000_000_000n;
  #inodes = 1n;
  readonly root: FolderNode = { kind: "folder", inode: 0n, entries: new Map(), mtimeNs: 0n, ctimeNs: 0n };

  stat(path: string): FileStat | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    const { kind, inode, mtimeNs, ctimeNs } = node;
    const common = { kind, inode, mtimeNs, ctimeNs };
    return node.kind === "file"
      ? { ...common, sizeBytes: node.bytes.length, hardLinks: 1, executable: node.executable }
      : { ...common, sizeBytes: 0, hardLinks: 2, executable: true };
  }

  list(folder: string): readonly string[] {
    const node = this.#find(folder);
    if (node === undefined || node.kind === "file") return [];
    return [...node.entries.keys()].sort();
  }

  read(path: string): Uint8Array {
    return this.#file(path).bytes;
  }

  readText(path: string): string | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return new TextDecoder().decode(this.#file(path).bytes);
  }

  async stream(path: string, onPiece: (piece: Uint8Array) => void): Promise<void> {
    const { bytes } = this.#file(path);
    if (bytes.length > 0) onPiece(bytes);
  }

  makeFolder(folder: string): void {
    let node = this.root;
    for (const name of partsOf(folder)) {
      const next = node.entries.get(name);
      if (next?.kind === "file") throw refusal(next === this.#find(folder) ? "EEXIST" : "ENOTDIR", folder);
      node = next ?? this.#add(node, name, this.#newFolder());
    }
  }

  writeNew(path: string, bytes: Uint8Array | string): void {
    this.#create(path, toBytes(bytes), { flushed: true });
  }

  append(path: string, text: string): void {
    const node = this.#find(path);
    if (node === undefined) this.#create(path, toBytes(text), { flushed: false });
    else this.#change(this.#file(path), Buffer.concat([this.#file(path).bytes, toBytes(text)]));
  }

  flush(path: string): void {
    const node = this.#find(path);
    if (node === undefined) throw this.#missing(path);
    if (node.kind === "file") node.flushedBytes = node.bytes.length;
  }

  copy(from: string, to: string): void {
    const source = this.#file(from);
    this.#create(to, source.bytes, { flushed: false }).executable = source.executable;
  }

  rename(from: string, to: string): void {
    const node = this.#find(from);
    if (node === undefined) throw this.#missing(from);
    if (to.startsWith(`${from}/`)) throw refusal("EINVAL", to);
    const parent = this.#parent(to);
    const there = parent.entries.get(basename(to));
    if (there === node) return;
    if (there?.kind === "folder") {
      if (node.kind === "file") throw refusal("EISDIR", to);
      if (there.entries.size > 0) throw refusal("ENOTEMPTY", to);
    }
    if (there?.kind === "file" && node.kind === "folder") throw refusal("ENOTDIR", to);
    const source = this.#parent(from);
    source.entries.delete(basename(from));
    const now = this.#tick();
    source.mtimeNs = now;
    this.#add(parent, basename(to), node);
    node.ctimeNs = now;
  }

  remove(path: string): void {
    const folder = this.#find(dirname(path));
    if (folder?.kind !== "folder" || !folder.entries.delete(basename(path))) return;
    folder.mtimeNs = this.#tick();
  }

  setMode(path: string, mode: Parameters<FileSystem["setMode"]>[1]): void {
    const node = this.#find(path);
    if (node === undefined) throw this.#missing(path);
    node.ctimeNs = this.#tick();
    if (mode === "sealed") node.mtimeNs = SEALED_MTIME_NS;
    if (mode.startsWith("placed")) node.mtimeNs -= BigInt(PLACED_EARLIER_MS) * 1_000_000n;
    if (node.kind === "file") node.executable = mode.endsWith("-executable");
  }

  touch(path: string): void {
    const node = this.#file(path);
    this.#change(node, node.bytes);
  }

  /** There are file systems that have none. */
  link(_to: string, path: string): void {
    throw refusal("EPERM", path);
  }

  resolveLink(path: string): string {
    return path;
  }

  /** As a user's editor or a stage does: in place where it exists, and not flushed. */
  write(path: string, bytes: Uint8Array | string): void {
    const node = this.#find(path);
    if (node === undefined) this.#create(path, toBytes(bytes), { flushed: false });
    else this.#change(this.#file(path), toBytes(bytes));
  }

  /** What is there is something else now, and nothing tells. */
  rot(path: string, bytes: Uint8Array): void {
    this.#file(path).bytes = bytes;
  }

  advance(milliseconds: number): void {
    this.nowNs += BigInt(milliseconds) * 1_000_000n;
  }

  /** What was not flushed is lost, for each such file as much of it as `kept` says (0 to 1). */
  losePower(kept: () => number): void {
    const visit = (folder: FolderNode): void => {
      for (const node of folder.entries.values()) {
        if (node.kind === "folder") visit(node);
        else if (node.flushedBytes < node.bytes.length)
          node.bytes = node.bytes.slice(0, Math.max(node.flushedBytes, Math.floor(kept() * node.bytes.length)));
      }
    };
    visit(this.root);
  }

  /** Every file below a folder by its relative path, in order. */
  filesIn(folder: string): readonly (readonly [path: string, node: FileNode])[] {
    const found: [string, FileNode][] = [];
    const visit = (node: FolderNode, prefix: string): void => {
      for (const [name, entry] of node.entries) {
        if (entry.kind === "file") found.push([prefix + name, entry]);
        else visit(entry, `${prefix}${name}/`);
      }
    };
    const node = this.#find(folder);
    if (node?.kind === "folder") visit(node, "");
    return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #find(path: string): FileNode | FolderNode | undefined {
    let node: FileNode | FolderNode | undefined = this.root;
    for (const name of partsOf(path)) {
      if (node?.kind !== "folder") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  #file(path: string): FileNode {
    const node = this.#find(path);
    if (node === undefined) throw this.#missing(path);
    if (node.kind === "folder") throw refusal("EISDIR", path);
    return node;
  }

  #parent(path: string): FolderNode {
    const node = this.#find(dirname(path));
    if (node?.kind === "folder") return node;
    throw this.#missing(path);
  }

  #missing(path: string): Error {
    for (let above = dirname(path); above !== "/"; above = dirname(above))
      if (this.#find(above)?.kind === "file") return refusal("ENOTDIR", path);
    return refusal("ENOENT", path);
  }

  #create(path: string, bytes: Uint8Array, { flushed }: { readonly flushed: boolean }): FileNode {
    const parent = this.#parent(path);
    if (parent.entries.has(basename(path))) throw refusal("EEXIST", path);
    const now = this.#tick();
    const flushedBytes = flushed ? bytes.length : 0;
    const node: FileNode = {
      kind: "file",
      inode: this.#inodes++,
      bytes,
      executable: false,
      mtimeNs: now,
      ctimeNs: now,
      flushedBytes,
    };
    return this.#add(parent, basename(path), node);
  }

  #change(node: FileNode, bytes: Uint8Array): void {
    const now = this.#tick();
    node.bytes = bytes;
    node.flushedBytes = Math.min(node.flushedBytes, bytes.length);
    node.mtimeNs = now;
    node.ctimeNs = now;
  }

  #newFolder(): FolderNode {
    const now = this.#tick();
    return { kind: "folder", inode: this.#inodes++, entries: new Map(), mtimeNs: now, ctimeNs: now };
  }

  #add<Node extends FileNode | FolderNode>(parent: FolderNode, name: string, node: Node): Node {
    parent.entries.set(name, node);
    parent.mtimeNs = this.#tick();
    return node;
  }

  /** The time as a file gets it. */
  #tick(): bigint {
    this.nowNs += OPERATION_NS;
    return (this.nowNs / TICK_NS) * TICK_NS;
  }
}

function partsOf(path: string): readonly string[] {
  return join("/", path)
    .split("/")
    .filter((name) => name !== "");
}

function toBytes(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
}

function refusal(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}
