/** Whether processes live, and how to end them with all they started. */
import { readFileSync } from "node:fs";

/** Ends a process that leads its own group, and everything in that group. Quiet where it is gone. */
export function killTree(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // Gone already, or never led a group: nothing is left to end.
    }
  }
}

/**
 * What tells this process from a later one with the same number: its start time in clock ticks since boot (Linux), else
 * nothing. Undefined where no such process lives.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Field 3 is the state: a zombie holds nothing any more.
    return afterName[0] === "Z" ? undefined : (afterName[19] ?? "");
  } catch {
    return "";
  }
}
