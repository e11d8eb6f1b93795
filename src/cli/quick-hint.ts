/** What to try before a long run, where the pipeline has it. */
import type { Pipeline } from "../language/pipeline.ts";
import { quoteWord } from "./quote-word.ts";

export function quickHint({ file, profiles, availableProfiles }: Pipeline): { readonly hint?: string } {
  if (profiles.length > 0 || !availableProfiles.includes("quick")) return {};
  return { hint: `for a first look: pipe run ${quoteWord(file)} --profile quick` };
}
