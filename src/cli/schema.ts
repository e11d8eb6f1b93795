/** `pipe schema`: the JSON Schemas that come with the program, and that of a stage of the user's own. */
import { join, resolve } from "node:path";
import { closestName } from "../diagnostics/suggest.ts";
import { PATH } from "../language/input-source.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { findArtifactsFolder } from "./open-pipeline.ts";

/** Schemas that are not of a stage type's settings. */
const DOCUMENTS = [
  ["pipeline", "A pipeline's file, for editors."],
  ["run", "The record of a run: artifacts/.store/runs/<id>/run.json."],
  ["key", "A key manifest: what determines a stage's outputs."],
  ["lock", "A lock: what each stage of a pipeline came to, beside the pipeline."],
] as const;

export async function schemaCommand(app: App, name: string | undefined): Promise<ExitCode> {
  if (name === undefined) {
    const types = [...app.catalogue].map(([type, { definition }]) => [type, definition.description] as const);
    const rows = [...DOCUMENTS, ...types];
    const width = Math.max(...rows.map(([first]) => first.length));
    app.out.write(`${rows.map(([first, description]) => `${first.padEnd(width)}  ${description}`).join("\n")}\n`);
    return 0;
  }
  if (PATH.test(name)) return ownSchema(app, name);
  const known = [...DOCUMENTS.map(([document]) => document), ...app.catalogue.keys()];
  const text = known.includes(name)
    ? app.files.readText(join(app.packageFolder, "schemas", `${name}.schema.json`))
    : undefined;
  if (text === undefined) {
    const close = closestName(name, known);
    const help = close === undefined ? `there are: ${known.join(", ")}` : `did you mean "${close}"?`;
    throw new UsageError(`there is no schema "${name}"`, help);
  }
  app.out.write(text);
  return 0;
}

async function ownSchema(app: App, name: string): Promise<ExitCode> {
  const module = resolve(app.cwd, name);
  const { types, problems } = await app.loadUserStages(findArtifactsFolder(app, module), [module]);
  const problem = problems.get(module);
  if (problem !== undefined)
    throw new UsageError(`the stage ${name} cannot be used: it ${problem.problem}`, problem.help);
  app.out.write(`${JSON.stringify(types.get(module)!.schema, undefined, 2)}\n`);
  return 0;
}
