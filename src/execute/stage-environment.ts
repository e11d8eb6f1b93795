/**
 * The environment of a stage's process, built from scratch: what the user's shell has set for TensorFlow, OpenMP, Node or
 * the dynamic linker must not reach it, since no key knows of it.
 */
import { tmpdir } from "node:os";

/** `added`: what the stage declares, and what the runner sets; the last one wins. */
export function stageEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  ...added: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = { LANG: "C.UTF-8", TMPDIR: own.TMPDIR ?? tmpdir() };
  for (const name of ["PATH", "HOME"]) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return Object.assign(environment, ...added) as Readonly<Record<string, string>>;
}
