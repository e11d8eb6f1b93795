/** sha256 of bytes, text and files: the one place that names the hash. */
import { createHash } from "node:crypto";
import type { FileSystem } from "../platform/file-system.ts";

export function digestBytes(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Reads in pieces; never the whole file into memory. */
export async function digestFile(files: FileSystem, path: string): Promise<string> {
  const hash = createHash("sha256");
  await files.stream(path, (piece) => hash.update(piece));
  return hash.digest("hex");
}
