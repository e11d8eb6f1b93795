/** The world's refusals in words: disk, permissions, unfit paths, damaged blobs said no, which is neither a bug nor a mistake in the pipeline. */
import { DamagedObject } from "../cache/object-store.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { errorCode } from "../platform/file-system.ts";
import type { FailureRecord } from "../record.ts";

/** What was refused, in words a user can act on; undefined where the error is something else. */
export function describeRefusal(error: unknown): (FailureRecord & { readonly help: string }) | undefined {
  const path = error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
  const where = path === undefined ? "" : ` (${path})`;
  const refusal = (message: string, help: string) => ({ message: `${message}${where}`, help, lastOutput: [] });
  if (error instanceof UnfitForArtifact) return { message: error.message, help: error.help, lastOutput: [] };
  if (error instanceof DamagedObject)
    return { message: error.message, help: "run again: what made it runs once more", lastOutput: [] };
  switch (errorCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return refusal("the disk is full", "free some space and run again: what is finished is kept");
    case "EROFS":
      return refusal(
        "the file system is read-only",
        "results are written under artifacts/; --artifacts names another folder",
      );
    case "EACCES":
    case "EPERM":
      return refusal("permission denied", "check who may read and write there");
    case "EIO":
      return refusal("the disk failed", "check the device, then run again: what is finished is kept");
    case "ESTALE":
    case "ENOTCONN":
    case "ETIMEDOUT":
    case "EHOSTDOWN":
    case "EHOSTUNREACH":
    case "ENODEV":
    case "ENXIO":
      return refusal("the file system cannot be reached", "check the mount or the network, then run again");
    case "EMFILE":
    case "ENFILE":
      return refusal("too many files are open", "raise the limit (ulimit -n) and run again");
    default:
      return undefined;
  }
}
