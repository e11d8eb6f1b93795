/**
 * The ways in which a cached result can go wrong, and what is promised in each: one table that the tests follow and that
 * docs/conformance.md is generated from. A cell has exactly one test, in the file named after its group.
 *
 * What other runners do stands here only as it was measured, with the versions in `PEERS`. Absent: not tried.
 * Longer than most files because it is one table.
 */
export const PEERS = {
  wireit: "wireit 0.14",
  turborepo: "Turborepo 2.11",
  nx: "Nx 24",
  moon: "moon 2.5",
  dvc: "DVC 3.67",
  make: "make, ninja (without restat), Snakemake 7.21",
} as const;

export type Peer = keyof typeof PEERS;

export const GROUPS = {
  objects: "What the store holds is damaged",
  traces: "What the store remembers is damaged",
  killed: "The runner is killed",
  refused: "The disk refuses",
  edited: "Files are edited",
  outputs: "Outputs are not what was declared",
  together: "Several runners at once",
  surroundings: "Odd surroundings",
} as const;

export type Group = keyof typeof GROUPS;

export interface Cell {
  readonly id: string;
  readonly group: Group;
  readonly situation: string;
  readonly promise: string;
  /** The situation in a few words, where there is something to compare with. */
  readonly short?: string;
  /** What others did. */
  readonly peers?: Readonly<Partial<Record<Peer, PeerResult>>>;
  /** The promise does not hold yet, and why. */
  readonly fails?: string;
}

export interface PeerResult {
  /** Whether that was right. */
  readonly right: boolean;
  readonly text: string;
}

const right = (text: string): PeerResult => ({ right: true, text });
const wrong = (text: string): PeerResult => ({ right: false, text });

const RERUN = "The stage that made it runs again, and says why; nothing wrong is handed out.";

export const CELLS: readonly Cell[] = [
  {
    id: "flipped-bit",
    group: "objects",
    situation: "One bit of a stored output is flipped, and the visible copy is gone",
    promise: RERUN,
    short: "one bit flipped in a cached output",
    peers: {
      wireit: wrong('wrong bytes, "Restored from cache"'),
      turborepo: wrong('wrong bytes, "1 cached"'),
      nx: wrong('wrong bytes, "1/1 hit"'),
      moon: wrong('wrong bytes, "cached"'),
      dvc: wrong('wrong bytes, "is cached - skipping run", and passed on to the next stage; `checkout` the same'),
    },
  },
  {
    id: "flipped-bit-unseen",
    group: "objects",
    situation: "The same, and the disk rots without a trace: size, times and inode of the file are as before",
    promise: "The copy is verified as it is made, so the stage runs again.",
  },
  {
    id: "flipped-bit-passed-on",
    group: "objects",
    situation: "One bit of a stored output is flipped, unseen, and a stage that reads it runs",
    promise: "It is found before the stage starts, and made again; the stage reads the right bytes.",
  },
  {
    id: "truncated",
    group: "objects",
    situation: "A stored output is cut from 65,536 to 30,000 bytes",
    promise: RERUN,
    short: "a cached output cut short",
    peers: {
      turborepo: right("reran"),
      nx: wrong("30,000 bytes restored as a hit"),
      moon: right("reran"),
      dvc: wrong("30,000 bytes restored as a hit"),
    },
  },
  { id: "emptied", group: "objects", situation: "A stored output is emptied", promise: RERUN },
  { id: "extended", group: "objects", situation: "A stored output has bytes added to it", promise: RERUN },
  {
    id: "swapped",
    group: "objects",
    situation: "Two stored outputs of the same size have changed places",
    promise: "Both stages run again; neither is given the other's bytes.",
  },
  { id: "deleted", group: "objects", situation: "A stored output is deleted", promise: RERUN },
  {
    id: "damaged-listing",
    group: "objects",
    situation: "The list of an output's files is flipped, cut, emptied or deleted",
    promise: RERUN,
  },
  {
    id: "doctor",
    group: "objects",
    situation: "Several stored outputs are damaged at once, each in another way",
    promise: "`pipe doctor` names each and exits with 0 once it is out of the way; the next run makes them again.",
  },

  {
    id: "trace-cut",
    group: "traces",
    situation: "A trace (the record of what one execution gave) is cut at any of several places",
    promise: "It does not count: the stage runs again.",
  },
  {
    id: "trace-garbage",
    group: "traces",
    situation: "A trace is garbage, under its own name and under a name that fits the garbage",
    promise: "It does not count: the stage runs again.",
  },
  {
    id: "trace-wrong-types",
    group: "traces",
    situation: "A trace is JSON of wrong types, under a name that fits it",
    promise: "It does not count: the stage runs again.",
  },
  {
    id: "trace-foreign",
    group: "traces",
    situation: "A trace holds what another key gave, under a name that fits it",
    promise: "It does not count: the stage runs again.",
  },
  {
    id: "memo-damaged",
    group: "traces",
    situation: "The memo of files' digests is cut, garbage, or of wrong types",
    promise: "It does not count: files are read again, and no stage runs that need not.",
  },
  {
    id: "last-run-damaged",
    group: "traces",
    situation: "What is remembered of the last run is cut, garbage, or of wrong types",
    promise: "It does not count; no stage runs that need not.",
  },
  {
    id: "kept-pipeline-damaged",
    group: "traces",
    situation: "The kept form of the pipeline's text is cut, garbage, or of wrong types",
    promise: "It does not count: the text is read again.",
  },

  {
    id: "kill-first-run",
    group: "killed",
    situation: "SIGKILL before each change of the disk, and in the middle of each that has a middle: first run",
    promise:
      "The next run completes it: a stage either has its whole result or runs again, nothing partial is ever visible, and no dead lock is waited for longer than a second.",
  },
  {
    id: "kill-next-run",
    group: "killed",
    situation: "The same in a run that replaces earlier results",
    promise: "The same; what is visible of a stage is its earlier result, its new one, or nothing: never a mixture.",
  },
  {
    id: "kill-many-files",
    group: "killed",
    situation: "SIGKILL while a stage's many files are stored (others: 6,000; here 400, at several places)",
    promise: "The stage runs again, and all its files are there.",
    short: "SIGKILL while thousands of files are stored",
    peers: {
      wireit: wrong("669/6,000, then 883/6,000 served as a hit"),
      turborepo: right("complete"),
      nx: right("reran"),
      moon: right("reran"),
    },
  },
  {
    id: "kill-while-stage-runs",
    group: "killed",
    situation: "SIGKILL while a stage's command runs",
    promise: "The command ends too; the next run starts it again and waits for nothing.",
  },
  {
    id: "dead-lock",
    group: "killed",
    situation: "A lock is left by a process that is gone, also where another process has its number now",
    promise: "It falls at once; nobody removes it by hand.",
  },
  {
    id: "cut-lock",
    group: "killed",
    situation: "A lock is left empty, cut short, or holds garbage",
    promise: "It falls within a second.",
  },
  {
    id: "lock-of-another-machine",
    group: "killed",
    situation: "A lock is left by another machine that gave no sign of life for minutes",
    promise: "It falls at once.",
  },

  {
    id: "enospc",
    group: "refused",
    situation: "The disk is full from the n-th change on, for every n (the refused write leaves half of it)",
    promise:
      "The run says so, or does not need it. What is visible is whole; the next run executes just what has no whole result.",
  },
  {
    id: "eio",
    group: "refused",
    situation: "The disk fails once, at the n-th change or flush, for every n",
    promise: "The same.",
  },
  {
    id: "erofs",
    group: "refused",
    situation: "The disk is read-only from the n-th change on, for every n",
    promise: "The same.",
  },
  {
    id: "read-only-hit",
    group: "refused",
    situation: "The store is read-only and has everything",
    promise: "The run has nothing to do and ends well.",
  },
  {
    id: "no-links",
    group: "refused",
    situation: "The file system has no hard links, symbolic links or clones",
    promise: "Nothing asks for a link, and clones become copies.",
  },

  {
    id: "input-edited",
    group: "edited",
    situation: "An input is edited after the stage read it, while it still runs; then a rerun",
    promise: "The stage fails, nothing is stored, and the next run reads the new input.",
    short: "an input edited while its stage runs",
    peers: {
      wireit: wrong("poisoned"),
      turborepo: wrong("poisoned"),
      nx: wrong("poisoned"),
      moon: wrong("poisoned"),
      dvc: wrong('"didn\'t change, skipping": output of the old input beside the new input'),
    },
  },
  {
    id: "input-set-back",
    group: "edited",
    situation: "An input is edited during a stage and set back: same bytes, same modification time",
    promise: "The stage fails all the same: what it read is not known. Nothing is stored.",
  },
  {
    id: "input-folder-grew",
    group: "edited",
    situation: "A file is added to an input folder during a stage",
    promise: "The stage fails, nothing is stored, and the next run reads the new folder.",
  },
  {
    id: "input-same-stat",
    group: "edited",
    situation: "Between two runs an input gets other bytes of the same size, and its modification time is set back",
    promise: "It is seen: the stage runs again.",
  },
  {
    id: "input-older",
    group: "edited",
    situation: "Between two runs an input is replaced by a file that is older",
    promise: "It is seen: the stage runs again.",
  },
  {
    id: "input-spoiled",
    group: "edited",
    situation: "A stage's command writes into its own inputs",
    promise: "It has copies: the store and the user's files keep their bytes.",
  },
  {
    id: "output-edited",
    group: "edited",
    situation: "A visible output is edited by hand, then a run",
    promise: "The right bytes are put back without running the stage; the store is out of reach of the edit.",
    short: "an output edited by hand",
    peers: {
      wireit: right("repaired"),
      turborepo: right("repaired"),
      nx: right("repaired"),
      moon: wrong("left wrong"),
      dvc: right("repaired (rerun or checkout)"),
      make: wrong("left wrong"),
    },
  },
  {
    id: "output-same-stat",
    group: "edited",
    situation: "A visible output gets other bytes of the same size, and its modification time is set back",
    promise: "It is seen, and the right bytes are put back.",
  },
  {
    id: "helper-edited",
    group: "edited",
    situation: "A helper module is edited that a stage's script imports, and nobody listed it",
    promise:
      "A stage in TypeScript runs again: what it imports is found. An edit of what it does not use changes nothing.",
    short: "an unlisted helper module edited",
    peers: {
      wireit: wrong("no rerun"),
      turborepo: right("reruns (whole package)"),
      nx: right("reruns (whole package)"),
      moon: right("reruns (whole package)"),
      dvc: wrong("no rerun, stale output"),
    },
  },
  {
    id: "helper-unlisted",
    group: "edited",
    situation: "The same with a shell command whose script is an input, and the helper is not",
    promise: "The script runs as a private copy and does not find its helper, so the first run fails, not a later one.",
  },
  {
    id: "same-bytes",
    group: "edited",
    situation: "An edit after which the first stage gives the same bytes",
    promise: "The second stage does not run.",
    short: "the same bytes again: what follows is skipped",
    peers: {
      wireit: wrong("second stage runs"),
      turborepo: wrong("second stage runs"),
      nx: right("skipped"),
      moon: wrong("second stage runs"),
      dvc: right("skipped"),
      make: wrong("no cutoff by content"),
    },
  },

  {
    id: "undeclared-output",
    group: "outputs",
    situation: "A command writes a file beside its declared outputs",
    promise: "The stage fails and names the file; the earlier result stays.",
  },
  {
    id: "missing-output",
    group: "outputs",
    situation: "A command ends well without writing a declared output",
    promise: "The stage fails and names the output; the earlier result stays.",
  },
  {
    id: "overlapping-outputs",
    group: "outputs",
    situation: "Two outputs are the same file, or one lies in the other, also by upper and lower case",
    promise: "The pipeline is refused before anything runs, with both places shown.",
  },
  {
    id: "output-is-link",
    group: "outputs",
    situation: "An output is a symbolic link, or a folder with one in it",
    promise: "The stage fails and says so: what a link leads to can change.",
  },
  {
    id: "failed-command",
    group: "outputs",
    situation: "A command writes half of its output and fails",
    promise: "Nothing of it is stored or visible; the earlier result stays.",
  },

  {
    id: "two-at-once",
    group: "together",
    situation: "A second process runs the same pipeline",
    promise: "It waits, says for whom, and takes the first one's results; each stage is executed once in all.",
    short: "a second process on the same pipeline",
    peers: {
      wireit: right("waits"),
      dvc: wrong("fails (exit 255), advises deleting the lock file by hand"),
    },
  },
  {
    id: "eight-at-once",
    group: "together",
    situation: "Eight processes start the same pipeline at once",
    promise: "Each stage is executed once in all, and all eight end well with the same bytes.",
  },
  {
    id: "holder-killed",
    group: "together",
    situation: "The process that another one waits for is killed",
    promise: "The waiting one takes over.",
  },

  {
    id: "clock-back",
    group: "surroundings",
    situation: "The clock goes a minute back at each look at it",
    promise: "What changed runs, and nothing else; results are right.",
  },
  {
    id: "odd-names",
    group: "surroundings",
    situation:
      "Spaces, newlines, quotes, dollar signs, emoji and other non-ASCII letters in the names of inputs, outputs and the pipeline's folder",
    promise: "All is as with plain names, byte for byte.",
  },
  {
    id: "names-apart-by-form",
    group: "surroundings",
    situation: "Two files whose names look the same: é as one character, and as e with an accent",
    promise: "Both are kept apart, where the file system does.",
  },
  {
    id: "names-not-utf-8",
    group: "surroundings",
    situation: "A file in an input folder has a name that is not UTF-8",
    promise: "The stage is refused, and the file named: it is never left out unseen.",
  },
];
