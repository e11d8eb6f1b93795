/** The last run of a pipeline in a project's store, with these params: its stages as recorded, and their artifacts as stages get them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function openStoredRun(product, project, pipeline, profiles, params) {
  const store = join(project, "artifacts", ".store");
  const run = readdirSync(join(store, "runs"))
    .sort()
    .reverse()
    .map((id) => join(store, "runs", id, "run.json"))
    // A run that goes on, or was killed, has no record.
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, "utf8")))
    .find(
      (record) =>
        record.pipeline === pipeline &&
        record.profiles.join() === profiles.join() &&
        params.every((param) => isParam(record.params, param)) &&
        isWhole(record),
    );
  if (run === undefined) throw new Error(`no whole run of ${[pipeline, ...profiles, ...params].join(" ")} in ${store}`);
  const objectPath = (digest) => join(store, "objects", digest.slice(0, 2), digest);
  const locate = ({ kind, digest }) => {
    const { files } = product.parseListing(readFileSync(objectPath(digest), "utf8"));
    const located = files.map((file) => ({ ...file, at: objectPath(file.digest) }));
    const references = located.find(({ path }) => path === product.REFERENCES_FILE);
    const targets = references === undefined ? {} : JSON.parse(readFileSync(references.at, "utf8"));
    return {
      kind,
      digest,
      files: located.filter((file) => file !== references),
      references: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, locate(target)])),
    };
  };
  const stage = (name) => run.stages.find((record) => record.stage === name);
  return {
    run,
    stage,
    artifact: (name, output) => product.openArtifact(locate(stage(name).outputs[output])),
  };
}

function isWhole({ stages }) {
  return ["normalize", "model", "train", "evaluate"].every(
    (name) => stages.find(({ stage }) => stage === name)?.outputs !== undefined,
  );
}

/** `param` is `name=value`, as on the command line. */
function isParam(params, param) {
  const at = param.indexOf("=");
  return String(params[param.slice(0, at)]) === param.slice(at + 1);
}
