/**
 * An order in which everything comes after what it needs: file order wherever that already holds. Circles are found on
 * the way. Iterative, so that a chain of any length fits the stack.
 */

export interface StageOrder {
  readonly order: readonly string[];
  /** Each circle once, from its first stage in file order, without coming back to it. */
  readonly circles: readonly (readonly string[])[];
}

/** `needs` are names among `stages`; others are ignored. */
export function orderStages(stages: readonly string[], needs: (stage: string) => readonly string[]): StageOrder {
  const known = new Set(stages);
  const state = new Map<string, "open" | "done">();
  const order: string[] = [];
  const circles: string[][] = [];
  const inCircle = new Set<string>();
  for (const root of stages) {
    if (state.has(root)) continue;
    const path: { readonly stage: string; readonly needs: readonly string[]; next: number }[] = [];
    const enter = (stage: string): void => {
      state.set(stage, "open");
      path.push({ stage, needs: needs(stage), next: 0 });
    };
    enter(root);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const need = top.needs[top.next++];
      if (need === undefined) {
        path.pop();
        state.set(top.stage, "done");
        order.push(top.stage);
      } else if (!known.has(need)) {
        // The name is wrong, which is another phase's matter.
      } else if (state.get(need) === "open") {
        const circle = path.slice(path.findIndex(({ stage }) => stage === need)).map(({ stage }) => stage);
        // One circle through a stage is enough to be told at a time.
        if (!circle.some((stage) => inCircle.has(stage))) circles.push(circle);
        for (const stage of circle) inCircle.add(stage);
      } else if (state.get(need) !== "done") enter(need);
    }
  }
  return { order, circles };
}
