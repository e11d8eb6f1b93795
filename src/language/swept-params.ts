/**
 * What a sweep reaches: a stage is fanned out over those swept params that its values come from, directly or by way of other
 * params, and over no others. And what the params are in one trial.
 */
import { canonicalJson } from "../json.ts";
import type { Environment } from "./environment.ts";
import { type Located, type LocatedMap, toJson } from "./located.ts";
import type { Combination } from "./matrix.ts";
import { setPath } from "./merge.ts";
import type { Sweep } from "./sweep.ts";
import { createVariables, paramsReferredTo, type Variables } from "./variables.ts";

export interface SweptParams {
  /** The swept params that a value comes from. */
  of(node: Located): ReadonlySet<string>;
  /** The values of swept params alone. */
  only(values: Combination): Combination;
  without(values: Combination): Combination;
  /** As the params are in a trial; `values` may have more, and fewer. */
  variablesIn(values: Combination): Variables;
}

/** `common` is what the params are in the file: of it is told what is wrong with them. */
export function createSweptParams(
  sweep: Sweep | undefined,
  {
    params,
    environment,
    common,
  }: { readonly params: LocatedMap; readonly environment: Environment; readonly common: Variables },
): SweptParams {
  const swept = sweep?.axes ?? [];
  const found = new Map<string, ReadonlySet<string>>();
  const variables = new Map<string, Variables>();

  const ofPath = (path: string): ReadonlySet<string> => {
    const before = found.get(path);
    if (before !== undefined) return before;
    const above = swept.find((name) => name === path || path.startsWith(`${name}.`));
    const own = new Set(above === undefined ? swept.filter((name) => name.startsWith(`${path}.`)) : [above]);
    // Params that refer to each other in a circle are a problem that is told elsewhere.
    found.set(path, own);
    if (above === undefined) for (const name of behind(path)) own.add(name);
    return own;
  };
  /** Those that the value of a param comes from. Where a part on the way is a reference, the rest is looked for in there. */
  const behind = (path: string): ReadonlySet<string> => {
    const parts = path.split(".");
    let node: Located | undefined = params;
    for (const [depth, part] of parts.entries()) {
      if (node?.kind === "scalar") {
        const rest = parts.slice(depth).join(".");
        return union([...paramsReferredTo(node)].map((name) => ofPath(`${name}.${rest}`)));
      }
      node = node?.kind === "map" ? node.entries.get(part)?.value : undefined;
    }
    return node === undefined ? NONE : of(node);
  };
  const of = (node: Located): ReadonlySet<string> =>
    swept.length === 0 ? NONE : union([...paramsReferredTo(node)].map(ofPath));
  const only = (values: Combination): Combination => new Map([...values].filter(([axis]) => swept.includes(axis)));

  return {
    of,
    only,
    without: (values) => (swept.length === 0 ? values : new Map([...values].filter(([axis]) => !swept.includes(axis)))),
    variablesIn(values) {
      const own = only(values);
      if (own.size === 0) return common;
      const key = canonicalJson([...own].map(([name, value]) => [name, toJson(value)]));
      const known = variables.get(key);
      if (known !== undefined) return known;
      let changed = params;
      for (const [name, value] of own)
        changed = setPath(changed, name.split("."), { keySpan: sweep!.spans.get(name)!, value });
      const made = createVariables(changed, environment, () => undefined);
      variables.set(key, made);
      return made;
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  return new Set(sets.flatMap((one) => [...one]));
}
