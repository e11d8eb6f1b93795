/** Work on many things, a few at a time. */

/**
 * Results in the order of the items. After a failure nothing new begins; it is thrown when what had begun has ended, so
 * that nothing goes on behind the caller's back.
 */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const at = next++;
      try {
        results[at] = await work(items[at]!);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}

/** How many files are digested or copied at once: enough to keep every core and a disk busy, few enough to be open. */
export const FILE_LANES = 8;
