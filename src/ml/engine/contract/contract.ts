/**
 * The contract suite: what each op of the engine interface must return, free and leave alone. Every engine passes it,
 * so whatever is written against the interface means the same on all of them. Cases are data that need no test
 * runner: `test/contract` runs them under vitest, `pipe engine test --full` on the user's machine.
 */
import { convolutionCases } from "./convolution-contract.ts";
import { denseCases } from "./dense-contract.ts";
import { type MemoryOptions, memoryCases } from "./memory-contract.ts";
import { normalisationCases } from "./normalisation-contract.ts";
import { poolingCases } from "./pooling-contract.ts";
import { updateCases } from "./update-contract.ts";
import type { ContractCase } from "./workbench.ts";

export function contractCases(memory: MemoryOptions): readonly ContractCase[] {
  return [
    ...memoryCases(memory),
    ...convolutionCases(),
    ...normalisationCases(),
    ...poolingCases(),
    ...denseCases(),
    ...updateCases(),
  ];
}
