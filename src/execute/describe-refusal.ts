/** The disk's refusals in words: the world said no, which is neither a bug nor a mistake in the pipeline. */
import { errorCode } from "../platform/file-system.ts";
import type { FailureRecord } from "../record.ts";

/** What the disk said no to, in words a user can act on; undefined where it is not the disk. */
export function describeRefusal(error: unknown): FailureRecord | undefined {
  const where = error instanceof Error && "path" in error && typeof error.path === "string" ? ` (${error.path})` : "";
  switch (errorCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return {
        message: `the disk is full${where}`,
        help: "free some space and run again: what is finished is kept",
        lastOutput: [],
      };
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return {
        message: `the store cannot be written${where}`,
        help: "check the permissions of the artifacts folder",
        lastOutput: [],
      };
    case "EIO":
      return {
        message: `the disk failed${where}`,
        help: "check the device, then run again: what is finished is kept",
        lastOutput: [],
      };
    default:
      return undefined;
  }
}
