/** A pause that can be cut short, and then leaves no timer that would keep the process alive. */

/** Node's timers hold no longer time: a greater one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Resolves after `ms`, or when `signal` is aborted. */
export function waitFor(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(ms, LONGEST_MS));
    signal?.addEventListener("abort", end, { once: true });
  });
}
