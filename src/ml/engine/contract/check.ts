/** What contract cases assert with, so that they need no test runner and the same ones run on a user's machine. */
import { isDeepStrictEqual } from "node:util";

/** A promise of the engine interface that does not hold. */
export class ContractBroken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ContractBroken";
  }
}

/** Equal in type, length and every bit of every number. Throws `ContractBroken`. */
export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new ContractBroken(`${what}: ${show(actual)} instead of ${show(expected)}`);
}

function show(value: unknown): string {
  const text = ArrayBuffer.isView(value)
    ? `${value.constructor.name} [${Array.from(value as unknown as ArrayLike<number>).slice(0, 8)}]`
    : String(JSON.stringify(value));
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
