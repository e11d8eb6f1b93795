/** Runs the contract suite of `src/ml/engine/contract` under vitest: one test a case. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { contractCases } from "../../src/ml/engine/contract/contract.ts";
import { type ContractCase, TOLERANCES, Workbench } from "../../src/ml/engine/contract/workbench.ts";
import type { Engine, Tensor, Variable } from "../../src/ml/engine/engine.ts";

export interface ContractOptions<E extends Engine> {
  /** Left out: that of the engine's precision, see workbench.ts. */
  readonly tolerance?: number;
  /** Other tolerances for some ops, by `conv2d` or `conv2dGradient.dfilter`. */
  readonly tolerances?: Readonly<Record<string, number>>;
  /** Whether variables hold nothing that float32 cannot, so that a checkpoint loses nothing. False for references only. */
  readonly keepsFloat32?: boolean;
  /** What the library underneath holds by its own count: grows when an engine loses a handle that it does not count. */
  readonly heldUnderneath?: () => number;
  /** Reads elements with more precision than `download` has. */
  readonly read?: (engine: E, handle: Tensor | Variable) => ArrayLike<number>;
}

export function describeEngine<E extends Engine>(
  name: string,
  open: () => Promise<E>,
  { tolerance, tolerances = {}, keepsFloat32 = true, heldUnderneath, read }: ContractOptions<E> = {},
): void {
  describe(`the ${name} engine keeps the contract:`, () => {
    let engine: E;
    beforeAll(async () => {
      engine = await open();
    });
    afterAll(() => engine?.close());

    const byTopic = new Map<string, ContractCase[]>();
    for (const entry of contractCases({ keepsFloat32, heldUnderneath }))
      byTopic.set(entry.topic, [...(byTopic.get(entry.topic) ?? []), entry]);
    for (const [topic, cases] of byTopic)
      describe(topic, () => {
        for (const { title, body } of cases)
          test(title, () =>
            Workbench.run(
              {
                engine,
                tolerance: tolerance ?? TOLERANCES[engine.precision],
                tolerances,
                read: async (handle) => read?.(engine, handle) ?? (await engine.download(handle)),
              },
              body,
            ),
          );
      });
  });
}
