/** Archives made byte by byte, honest and hostile, for tests. */
import { Buffer } from "node:buffer";
import { buffer } from "node:stream/consumers";
import { deflateRawSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { crc32 } from "../../../src/ml/data/crc32.ts";

export type TarEntry = Partial<Header> & { readonly name: string } & { readonly content?: Uint8Array | string };

export async function makeTar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries)
    if (content === undefined) archive.entry(header);
    else archive.entry({ ...header, type: "file" }, Buffer.from(content));
  archive.finalize();
  return buffer(archive);
}

export interface ZipItem {
  readonly name: string;
  readonly content: Uint8Array | string;
  /** Unix mode; the upper bits say what it is. */
  readonly mode?: number;
  readonly encrypted?: boolean;
  /** Written instead of the true checksum. */
  readonly checksum?: number;
}

/** A zip archive of deflated entries (APPNOTE.TXT 4.3). */
export function makeZip(items: readonly ZipItem[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const item of items) {
    const name = Buffer.from(item.name);
    const content = Buffer.from(item.content);
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(item.encrypted === true ? 1 : 0, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(item.checksum ?? crc32(content), 10);
    common.writeUInt32LE(packed.length + (item.encrypted === true ? 12 : 0), 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), common, name, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((item.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\u0001\u0002"), Buffer.of(20, 3), common, tail, name]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(items.length, 4);
  end.writeUInt16LE(items.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, Buffer.from("PK\u0005\u0006"), end]);
}
