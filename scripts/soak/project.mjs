/**
 * The project that the soak runs, and what its pipeline should give: shell stages and one in TypeScript, each with a model
 * in JavaScript beside it. Most stages drop what they read (its parity, its number of lines), so that a change often ends soon.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const PIPELINE = "soak";
const STAGES = 9;
const PARAMS = ["p0", "p1", "p2"];
/** What stages read by path: two files, and a folder. */
const PATHS = ["in/first.txt", "in/second.txt", "in/folder"];
const FILES = ["in/first.txt", "in/second.txt", "in/folder/a.txt", "in/folder/deep/b.txt"];

const READ = `read_all() {
  for one in "$@"; do
    if [ -d "$one" ]; then find "$one" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r cat; else cat "$one"; fi
  done
}`;

/** Each: its command, and what that writes, by path below the output. `read` is all that its inputs hold. */
const COMMANDS = {
  hash: {
    output: "hash.txt",
    command: ({ salt, param }) =>
      `{ read_all INPUTS; printf '%s' "${salt} \${params.${param}}"; } | sha256sum | cut -c1-16 > "\${outputs.out}"`,
    gives: (read, { salt }, value) => ({ "hash.txt": `${sha(`${read}${salt} ${value}`).slice(0, 16)}\n` }),
  },
  lines: {
    output: "lines.txt",
    command: ({ salt }) => `echo "${salt} $(read_all INPUTS | wc -l | tr -d ' ')" > "\${outputs.out}"`,
    gives: (read, { salt }) => ({ "lines.txt": `${salt} ${read.split("\n").length - 1}\n` }),
  },
  parity: {
    output: "parity.txt",
    command: ({ salt }) => `echo "${salt} $(( $(read_all INPUTS | wc -c) % 2 ))" > "\${outputs.out}"`,
    gives: (read, { salt }) => ({ "parity.txt": `${salt} ${read.length % 2}\n` }),
  },
  large: {
    output: "large.txt",
    command: ({ salt }) =>
      `awk -v v="${salt} $(read_all INPUTS | sha256sum | cut -c1-32)" 'BEGIN { for (i = 0; i < 6000; i++) print v, i }' > "\${outputs.out}"`,
    gives: (read, { salt }) => {
      const line = `${salt} ${sha(read).slice(0, 32)}`;
      return { "large.txt": Array.from({ length: 6000 }, (_, i) => `${line} ${i}\n`).join("") };
    },
  },
  tree: {
    output: "tree",
    command: ({ salt }) =>
      `mkdir -p "\${outputs.out}/deep"; { echo ${salt}; read_all INPUTS | sha256sum | cut -c1-8; } > "\${outputs.out}/a.txt"; ` +
      `cp "\${outputs.out}/a.txt" "\${outputs.out}/deep/b.sh"; chmod 755 "\${outputs.out}/deep/b.sh"`,
    gives: (read, { salt }) => {
      const text = `${salt}\n${sha(read).slice(0, 8)}\n`;
      return { "a.txt": text, "deep/b.sh": text };
    },
  },
  slow: {
    output: "slow.txt",
    command: ({ salt }) => `sleep 0.1; { echo ${salt}; read_all INPUTS | sha256sum; } > "\${outputs.out}"`,
    gives: (read, { salt }) => ({ "slow.txt": `${salt}\n${sha(read)}  -\n` }),
  },
};

/** A stage of the project's own, in a process of its own kind. */
const MODULE = ({ salt, comment }) => `// ${comment}
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineStage } from "tfpipe";

export const upper = defineStage({
  type: "upper",
  description: "Makes a text larger.",
  inputs: { "*": { kind: "any", description: "Texts." } },
  outputs: { out: { kind: "file", description: "The text, larger." } },
  async run({ inputs, outputs }) {
    const texts = Object.keys(inputs).sort().flatMap((port) =>
      inputs[port].files.map((file) => readFileSync(inputs[port].path(file.path), "utf8")));
    writeFileSync(join(outputs.out.folder, "upper.txt"), texts.join("").slice(0, 64).toUpperCase() + "${salt}");
  },
});
`;

export class SoakProject {
  /**
   * @param {string} folder
   * @param {(below: number) => number} draw
   */
  constructor(folder, draw) {
    this.folder = folder;
    this.params = Object.fromEntries(PARAMS.map((name) => [name, 0]));
    this.files = new Map(FILES.map((path, i) => [path, { text: `text ${i}\n`, executable: false }]));
    this.module = { salt: "s0", comment: "c0" };
    this.stages = [];
    const types = Object.keys(COMMANDS);
    for (let at = 0; at < STAGES; at++) {
      const type = at === 5 ? "upper" : at === 2 ? "slow" : types[draw(types.length)];
      const inputs = [this.#source(at, draw), ...(draw(2) === 0 ? [] : [this.#source(at, draw)])];
      this.stages.push({ name: `s${at}`, type, salt: "s0", comment: "c0", param: PARAMS[draw(PARAMS.length)], inputs });
    }
    this.write();
  }

  /** Another folder gets the same project, with a store of its own. */
  write(folder = this.folder) {
    put(folder, "package.json", "{}\n");
    put(folder, "upper.ts", MODULE(this.module));
    put(folder, "soak.yaml", `${JSON.stringify(this.#pipeline(), undefined, 1)}\n`);
    for (const [path, { text, executable }] of this.files) {
      put(folder, path, text);
      chmodSync(join(folder, path), executable ? 0o755 : 0o644);
    }
    mkdirSync(join(folder, "in/folder"), { recursive: true });
  }

  /** Changes one thing that the pipeline depends on. Says what. */
  edit(draw) {
    const stage = this.stages[draw(this.stages.length)];
    const path = FILES[draw(FILES.length)];
    const file = this.files.get(path);
    const full = join(this.folder, path);
    switch (draw(10)) {
      case 0:
      case 1: {
        const name = PARAMS[draw(PARAMS.length)];
        this.params[name] = draw(4);
        this.write();
        return `${name} = ${this.params[name]}`;
      }
      case 2:
      case 3:
      case 4: {
        const text = `text ${draw(6)}\n`;
        this.files.set(path, { text, executable: file?.executable ?? false });
        put(this.folder, path, text);
        return `${path} = ${JSON.stringify(text)}`;
      }
      case 5: {
        // As an editor that writes beside and renames.
        if (file === undefined) return "nothing";
        writeFileSync(`${full}.new`, file.text, { mode: file.executable ? 0o755 : 0o644 });
        renameSync(`${full}.new`, full);
        if (draw(2) === 0) utimesSync(full, 1e9, 1e9);
        return `${path} replaced by its equal`;
      }
      case 6: {
        if (!path.startsWith("in/folder") || file === undefined) return "nothing";
        if (draw(2) === 0) {
          this.files.delete(path);
          rmSync(full);
          return `${path} deleted`;
        }
        this.files.set(path, { ...file, executable: !file.executable });
        chmodSync(full, file.executable ? 0o644 : 0o755);
        return `${path} another mode`;
      }
      case 7: {
        const part = draw(2) === 0 ? "salt" : "comment";
        if (stage.type === "upper") this.module = { ...this.module, [part]: `${part[0]}${draw(4)}` };
        else stage[part] = `${part[0]}${draw(4)}`;
        this.write();
        return `${part} of ${stage.name}`;
      }
      case 8: {
        const at = this.stages.indexOf(stage);
        stage.inputs = [this.#source(at, draw), ...stage.inputs.slice(1)];
        this.write();
        return `inputs of ${stage.name} = ${stage.inputs}`;
      }
      default: {
        // Edited, and set back: for the pipeline nothing happened.
        if (file === undefined) return "nothing";
        writeFileSync(full, "elsewhere\n");
        writeFileSync(full, file.text);
        return `${path} edited and set back`;
      }
    }
  }

  /** Every visible file by its path below the pipeline's folder. */
  expected() {
    const made = new Map();
    const visible = new Map();
    for (const stage of this.stages) {
      const read = stage.inputs.map((source) => this.#read(source, made)).join("");
      const files =
        stage.type === "upper"
          ? { "upper.txt": read.slice(0, 64).toUpperCase() + this.module.salt }
          : COMMANDS[stage.type].gives(read, stage, this.params[stage.param]);
      made.set(stage.name, inOrder(files));
      for (const [path, text] of Object.entries(files))
        visible.set(`${stage.name}/out/${path}`, { text, executable: path.endsWith(".sh") });
    }
    return visible;
  }

  #pipeline() {
    const stages = this.stages.map((stage) => {
      const inputs = Object.fromEntries(
        stage.inputs.map((source, i) => [`i${i}`, source.startsWith("in/") ? `./${source}` : source]),
      );
      if (stage.type === "upper") return [stage.name, { uses: "./upper.ts", inputs }];
      const { output, command } = COMMANDS[stage.type];
      const places = Object.keys(inputs).map((port) => `"\${inputs.${port}}"`);
      const run = `${READ}\n# ${stage.comment}\n${command(stage).replace("INPUTS", () => places.join(" "))}\n`;
      return [stage.name, { inputs, outputs: { out: output }, run }];
    });
    return { name: PIPELINE, params: this.params, stages: Object.fromEntries(stages) };
  }

  #source(at, draw) {
    if (at === 0 || draw(3) === 0) return PATHS[draw(PATHS.length)];
    return `s${at - 1 - draw(Math.min(at, 4))}`;
  }

  #read(source, made) {
    if (made.has(source)) return made.get(source);
    const below = [...this.files].filter(([path]) => path === source || path.startsWith(`${source}/`));
    return inOrder(Object.fromEntries(below.map(([path, { text }]) => [path, text])));
  }
}

function put(folder, path, text) {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
}

function inOrder(files) {
  return Object.keys(files)
    .sort()
    .map((path) => files[path])
    .join("");
}

function sha(text) {
  return createHash("sha256").update(text).digest("hex");
}
