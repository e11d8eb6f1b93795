/**
 * Lets what arrived from outside be seen: a wish to stop, a worker's batch.
 *
 * An engine that computes in the calling thread gives promises that are already fulfilled, and a loader that is ahead
 * does too, so a loop over steps could go on for an epoch without the event loop ever turning.
 */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
