/** What every peer in Node does alike: reads its request, counts its time and replies once. */
import { readFileSync } from "node:fs";

/** One piece of work: a case of cases.mjs with the settings of the peer. */
export const request = JSON.parse(process.argv[2]);

/** The most memory this process ever held. */
export function peakBytes() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024; // libuv gives kilobytes
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
}

/** The last line of a process. Ends it, since what follows the last step is not measured. */
export function reply(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** Call `lap()` after each step: true when `request` has enough of them. `seconds` has the timed ones. */
export function startStopwatch() {
  const { warmup, steps, minimumSteps, budgetSeconds } = request;
  const seconds = [];
  let left = warmup;
  let spent = 0;
  let mark = performance.now();
  return {
    seconds,
    lap() {
      const now = performance.now();
      const elapsed = (now - mark) / 1000;
      mark = now;
      if (left-- > 0) return false;
      seconds.push(elapsed);
      spent += elapsed;
      return steps === undefined ? seconds.length >= minimumSteps && spent >= budgetSeconds : seconds.length >= steps;
    },
  };
}
