/**
 * Names for what an engine computed, so that a table can say op by op what was checked: an engine behind a proxy that
 * remembers which op made each tensor (`conv2dGradient.dx`) and which op last changed each variable.
 */
import type { Engine, Tensor, Variable } from "../engine.ts";

export interface NamedEngine {
  readonly engine: Engine;
  /** The op behind a handle. */
  readonly opOf: (handle: Tensor | Variable) => string;
}

/** Ops that give a variable new values, and so answer for what is read from it. */
const CHANGES_VARIABLES = /^(variable|assign|batchNormTrain|\w+Update)$/;

export function nameOps(engine: Engine): NamedEngine {
  const names = new WeakMap<object, string>();
  const note = (op: string, args: readonly unknown[], result: unknown): void => {
    if (!isObject(result) && !CHANGES_VARIABLES.test(op)) return;
    if (CHANGES_VARIABLES.test(op))
      for (const variable of args.flatMap((arg) => (isObject(arg) ? [arg, ...Object.values(arg)] : [])))
        if (isObject(variable) && "variable" in variable) names.set(variable, op);
    if (!isObject(result)) return;
    names.set(result, op);
    if ("shape" in result) return;
    for (const [field, value] of Object.entries(result))
      if (isObject(value)) names.set(value, field === "y" || field === "loss" ? op : `${op}.${field}`);
  };
  const proxy = new Proxy(engine, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args);
        note(String(property), args, result);
        return result;
      };
    },
  });
  return { engine: proxy, opOf: (handle) => names.get(handle) ?? "memory" };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
