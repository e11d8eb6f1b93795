/**
 * Whether processes live, and how to end them with all they started. What a process started is found by asking the system
 * who its children are, as long as it lives, so that children with sessions of their own are found too; where the system
 * does not say (not Linux), the process group is all that is known.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Ends a process that leads its own group, that group, and everything that descends from it. Quiet where it is gone. */
export function killTree(pid: number): void {
  signal(pid, "SIGSTOP");
  for (const descendant of stopDescendants(pid)) signal(descendant, "SIGKILL");
  // Gone already, or never led a group: nothing is left to end.
  signal(-pid, "SIGKILL");
  signal(pid, "SIGKILL");
}

/** Asks a process that leads its own group, and that group, to end. Quiet where it is gone. */
export function stopTree(pid: number): void {
  signal(-pid, "SIGTERM");
}

/** Ends everything that descends from a process, and leaves the process itself. */
export function killDescendants(pid: number): void {
  for (const descendant of stopDescendants(pid)) signal(descendant, "SIGKILL");
}

/** Stops them from above to below until there are no new ones: what is stopped starts nothing more. */
function stopDescendants(pid: number): ReadonlySet<number> {
  const stopped = new Set<number>();
  for (;;) {
    const found = descendantsOf(pid).filter((one) => !stopped.has(one));
    if (found.length === 0) return stopped;
    for (const one of found) {
      stopped.add(one);
      signal(one, "SIGSTOP");
    }
  }
}

/** Of a living process: its children, theirs, and so on, each after its parent. Empty where the system does not tell. */
export function descendantsOf(pid: number): readonly number[] {
  const found: number[] = [];
  const waiting = [pid];
  for (let parent = waiting.shift(); parent !== undefined; parent = waiting.shift())
    for (const child of childrenOf(parent)) {
      if (found.includes(child) || child === process.pid) continue;
      found.push(child);
      waiting.push(child);
    }
  return found;
}

function childrenOf(pid: number): readonly number[] {
  return numbersIn(`/proc/${pid}/task`).flatMap((thread) => {
    const children = read(`/proc/${pid}/task/${thread}/children`);
    if (children !== undefined) return children.split(" ").filter(Boolean).map(Number);
    return thread === pid ? childrenByParent(pid) : [];
  });
}

/** For kernels that keep no list of children: every process is asked for its parent. */
function childrenByParent(pid: number): readonly number[] {
  return numbersIn("/proc").filter((other) => Number(statFields(other)?.[1]) === pid);
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
  const fields = statFields(pid);
  if (fields === undefined) return "";
  // A zombie holds nothing any more.
  return fields[0] === "Z" ? undefined : (fields[19] ?? "");
}

/** Of `/proc/<pid>/stat` what follows the name, which may hold anything: state, parent, group, ..., start time at 19. */
function statFields(pid: number): readonly string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Undefined where it is not there, or was until a moment ago. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function numbersIn(folder: string): readonly number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile.
  }
}
