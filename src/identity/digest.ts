/** sha256 of bytes, text and files: the one place that names the hash, but for the threads that digest large files. */
import { createHash } from "node:crypto";
import type { FileSystem } from "../platform/file-system.ts";

export function digestBytes(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Reads in pieces; never the whole file into memory. Large files are read beside this thread, where the file system can. */
export async function digestFile(files: Pick<FileSystem, "stream" | "digestBeside">, path: string): Promise<string> {
  const beside = files.digestBeside?.(path);
  if (beside !== undefined) return beside;
  const hash = createHash("sha256");
  await files.stream(path, (piece) => hash.update(piece));
  return hash.digest("hex");
}
