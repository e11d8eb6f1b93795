/** A pipeline of shell stages that costs nothing to run: what is asked for is how the runner goes about it. */
import { Project } from "./project.ts";

/**
 *   text.txt -> upper -> twice -> count
 *                  +---> other
 */
export const WORDS = `name: words
params: { times: "2" }
stages:
  upper:
    inputs: { text: ./text.txt }
    outputs: { out: upper.txt }
    run: tr a-z A-Z < "\${inputs.text}" > "\${outputs.out}"
  twice:
    inputs: { text: upper }
    outputs: { out: twice.txt }
    run: for i in $(seq "\${params.times}"); do cat "\${inputs.text}"; done > "\${outputs.out}"
  count:
    inputs: { text: twice }
    outputs: { out: count.txt }
    run: wc -l < "\${inputs.text}" > "\${outputs.out}"
  other:
    inputs: { text: upper }
    outputs: { out: other.txt }
    run: rev "\${inputs.text}" > "\${outputs.out}"
`;

export function createWordsProject(): Project {
  const project = new Project();
  project.write("words.yaml", WORDS);
  project.write("text.txt", "one\ntwo\n");
  return project;
}

/** A pipeline of one shell stage `only`, whose output is `out`. */
export function oneStage(command: string, settings = ""): string {
  return `name: one
stages:
  only:
    outputs: { out: out.txt }
${settings}    run: |
${command.replace(/^/gm, "      ")}
`;
}
