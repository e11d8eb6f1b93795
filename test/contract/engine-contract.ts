/**
 * The contract suite: what each op of the engine interface must return, free and leave alone. Every engine passes it,
 * so whatever is written against the interface means the same on all of them.
 */
import { afterAll, beforeAll, describe } from "vitest";
import type { Engine, Tensor, Variable } from "../../src/ml/engine/engine.ts";
import { describeConvolution } from "./convolution-contract.ts";
import { describeDense } from "./dense-contract.ts";
import { describeMemory } from "./memory-contract.ts";
import { describeNormalisation } from "./normalisation-contract.ts";
import { describePooling } from "./pooling-contract.ts";
import { describeUpdates } from "./update-contract.ts";
import { type RunCase, Workbench } from "./workbench.ts";

export interface ContractOptions<E extends Engine> {
  /** See workbench.ts for what the usual one means. */
  readonly tolerance?: number;
  /** Whether variables hold nothing that float32 cannot, so that a checkpoint loses nothing. False for references only. */
  readonly keepsFloat32?: boolean;
  /** What the library underneath holds by its own count: grows when an engine loses a handle that it does not count. */
  readonly heldUnderneath?: () => number;
  /** Reads elements with more precision than `download` has. */
  readonly read?: (engine: E, handle: Tensor | Variable) => ArrayLike<number>;
}

const FLOAT32_TOLERANCE = 2e-5;

export function describeEngine<E extends Engine>(
  name: string,
  open: () => Promise<E>,
  { tolerance = FLOAT32_TOLERANCE, keepsFloat32 = true, heldUnderneath, read }: ContractOptions<E> = {},
): void {
  describe(`the ${name} engine keeps the contract:`, () => {
    let engine: E;
    beforeAll(async () => {
      engine = await open();
    });
    afterAll(() => engine?.close());

    const run: RunCase = (body) =>
      Workbench.run(
        { engine, tolerance, read: async (handle) => read?.(engine, handle) ?? (await engine.download(handle)) },
        body,
      );
    describeMemory(run, { keepsFloat32, heldUnderneath });
    describeConvolution(run);
    describeNormalisation(run);
    describePooling(run);
    describeDense(run);
    describeUpdates(run);
  });
}
