/** `pipe init`: a commented starter pipeline, and the line in .gitignore that keeps results out of the history. */
import { join, relative, resolve } from "node:path";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { quoteWord } from "./quote-word.ts";

const IGNORED = "artifacts/";

export function initCommand(app: App, folder: string): ExitCode {
  const root = resolve(app.cwd, folder);
  const pipeline = join(root, "pipelines", "starter.yaml");
  const show = (path: string) => relative(app.cwd, path) || ".";
  if (app.files.stat(pipeline) !== undefined)
    throw new UsageError(`${show(pipeline)} is there already`, `run it with: pipe run ${quoteWord(show(pipeline))}`);
  const template = app.files.readText(join(app.packageFolder, "pipelines", "starter.template.yaml"));
  if (template === undefined) throw new Error("the package has no starter pipeline");
  app.files.makeFolder(join(root, "pipelines"));
  app.files.writeNew(pipeline, template);
  app.out.write(`wrote ${show(pipeline)}\n`);
  const gitignore = join(root, ".gitignore");
  const text = app.files.readText(gitignore) ?? "";
  if (!text.split(/\r?\n/).includes(IGNORED)) {
    app.files.append(gitignore, `${text === "" || text.endsWith("\n") ? "" : "\n"}${IGNORED}\n`);
    app.out.write(`added ${IGNORED} to ${show(gitignore)}\n`);
  }
  app.out.write(`\nnext: pipe run ${quoteWord(show(pipeline))}\n`);
  return 0;
}
