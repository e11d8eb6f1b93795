/**
 * Gets labelled images, or draws them, and writes them as two datasets, train and test. The only stage that may use the network, and only
 * for bytes whose sha256 is known beforehand: so it still is a function of its params and inputs.
 */
import {
  asStageFailure,
  type CheckContext,
  defineStage,
  type Facts,
  type OutputPort,
  type StageContext,
  type StageProblem,
} from "../src/contract.ts";
import {
  CIFAR_SIZE,
  CIFAR10,
  CIFAR10_CLASSES,
  CIFAR100,
  CIFAR100_COARSE_CLASSES,
  CIFAR100_FINE_CLASSES,
  type CifarFormat,
} from "../src/ml/data/cifar.ts";
import type { FileTree } from "../src/ml/data/file-tree.ts";
import type { ImageSplits } from "../src/ml/data/image-split.ts";
import { SHAPES, syntheticClassNames, syntheticSize } from "../src/ml/data/synthetic.ts";
import type { FetchParams } from "./generated/fetch-params.ts";

const output = (description: string): OutputPort => ({ kind: "dataset", visible: ["card.json"], description });

export const fetch = defineStage<FetchParams>({
  type: "fetch",
  description:
    "Gets a data set of labelled images: CIFAR, image folders, MNIST's formats, NumPy arrays, CSV, or drawn ones.",
  inputs: {
    source: {
      kind: "any",
      optional: true,
      description: "A local archive or folder to read instead of the network.",
    },
  },
  outputs: { train: output("The images to train on."), test: output("The images to test with.") },
  assets: { decode: "../src/ml/data/decode-worker.ts" },
  check: checkFetch,
  describe({ params }) {
    const facts = factsOf(params);
    return { train: { ...facts, ...countOf(params, "train") }, test: { ...facts, ...countOf(params, "test") } };
  },
  async run(ctx) {
    try {
      if (ctx.params.dataset === "synthetic") {
        const { createSynthetic } = await import("../src/ml/data/synthetic.ts");
        return await writeSplits(ctx, createSynthetic(ctx.params.synthetic!));
      }
      const tree = await openSource(ctx);
      switch (ctx.params.dataset) {
        case "cifar10":
        case "cifar100":
          return await writeSplits(ctx, await openCifarSplits(ctx, tree));
        case "idx": {
          const { openIdx } = await import("../src/ml/data/idx.ts");
          return await writeSplits(ctx, await openIdx(tree, ctx.params.classNames));
        }
        case "imageFolder":
          return await writeImages(ctx, tree);
        case "numpy": {
          const { openNumpy } = await import("../src/ml/data/numpy-arrays.ts");
          const { numpy, classNames } = ctx.params;
          return await writeSplits(ctx, await openNumpy(tree, { ...numpy!, ...(classNames && { classNames }) }));
        }
        case "csv":
          return await writeCsv(ctx, tree);
      }
    } catch (error) {
      throw asStageFailure(error, ["DataError"]);
    }
  },
});

type Context = StageContext<FetchParams>;

async function openSource(ctx: Context): Promise<FileTree> {
  const { openArchive } = await import("../src/ml/data/archive.ts");
  const { openFolder } = await import("../src/ml/data/file-tree.ts");
  const { source } = ctx.inputs;
  if (source !== undefined) {
    const isFile = source.files.length === 1 && source.files[0]!.path === "";
    return isFile ? openArchive(source.path(), "the input source") : openFolder("the input source", source);
  }
  const { locateArchive } = await import("../src/ml/data/locate.ts");
  const sources = sourcesOf(ctx.params).map(({ sha256, ...place }) => ({ ...place, sha256: sha256! }));
  const { path, name } = await locateArchive({
    sources,
    folder: ctx.scratch("downloads"),
    signal: ctx.signal,
    onProgress: (done, total) =>
      ctx.progress({ phase: "downloading", done, ...(total === undefined ? {} : { total }), unit: "bytes" }),
    onWait: (pid) => ctx.log(`process ${pid} is downloading the same file: waiting for it`),
    onFailure: (line) => ctx.log(line),
  });
  ctx.log(`${name}: sha256 verified`);
  return openArchive(path, name);
}

async function openCifarSplits({ params }: Context, tree: FileTree): Promise<ImageSplits> {
  const { openCifar } = await import("../src/ml/data/cifar.ts");
  const classNames = classNamesOf(params)!;
  const label = params.dataset === "cifar100" && params.labels === "fine" ? 1 : 0;
  return { ...openCifar(tree, formatOf(params)!, label, classNames.length), classNames };
}

async function writeSplits(ctx: Context, { classNames, ...splits }: ImageSplits): Promise<void> {
  const { createImagesWriter } = await import("../src/ml/data/dataset-writer.ts");
  for (const name of ["train", "test"] as const) {
    const { count, height, width, channels, read } = splits[name];
    const writer = createImagesWriter(ctx.outputs[name]!.folder, { count, height, width, channels, classNames });
    try {
      let done = 0;
      await read((first, images, labels) => {
        ctx.signal.throwIfAborted();
        writer.write(first, images, labels);
        done += labels.length;
        ctx.progress({ phase: `writing ${name}`, done, total: count, unit: "images" });
      });
      writer.finish();
    } finally {
      writer.close();
    }
    ctx.log(`${name}: ${count} images of ${height} x ${width} x ${channels} in ${classNames.length} classes`);
  }
}

async function writeCsv(ctx: Context, tree: FileTree): Promise<void> {
  const { openCsv } = await import("../src/ml/data/csv-table.ts");
  const { csv, classNames } = ctx.params;
  const tables = await openCsv({
    tree,
    settings: { ...csv!, ...(classNames && { classNames }) },
    folders: { train: ctx.outputs.train!.folder, test: ctx.outputs.test!.folder },
    signal: ctx.signal,
    onProgress: (phase, done, total) => ctx.progress({ phase, done, total, unit: "bytes" }),
  });
  try {
    await writeSplits(ctx, tables);
  } finally {
    tables.close();
  }
}

async function writeImages(ctx: Context, tree: FileTree): Promise<void> {
  const { createDecoder } = await import("../src/ml/data/decoder.ts");
  const { findImages, writeImageFolder } = await import("../src/ml/data/image-folder.ts");
  const { channels, imageSize } = ctx.params;
  const images = findImages(tree);
  if (images.ignored > 0) ctx.log(`${images.ignored} files are no JPEG or PNG images by their name: left out`);
  const size = sizeOf(imageSize);
  const decoder = await createDecoder({
    channels,
    ...(size === undefined ? {} : { size }),
    threads: ctx.threads(4),
    workerModule: ctx.asset("decode"),
  });
  try {
    await writeImageFolder({
      tree,
      images,
      decoder,
      folders: { train: ctx.outputs.train!.folder, test: ctx.outputs.test!.folder },
      signal: ctx.signal,
      onImage(done, total) {
        if (done % 100 === 0 || done === total) ctx.progress({ phase: "decoding", done, total, unit: "images" });
      },
    });
  } finally {
    await decoder.close();
  }
  ctx.log(`${images.train.length} train and ${images.test.length} test images in ${images.classNames.length} classes`);
}

/** Settings that mean something with some data only, and what to say with other data. */
const SETTINGS: readonly {
  readonly name: keyof FetchParams;
  readonly of: readonly FetchParams["dataset"][];
  readonly otherwise: (dataset: string) => string;
}[] = [
  { name: "imageSize", of: ["imageFolder"], otherwise: (name) => `the images of ${name} have a size of their own` },
  {
    name: "classNames",
    of: ["idx", "numpy", "csv"],
    otherwise: (name) => `the classes of ${name} have names of their own`,
  },
  { name: "synthetic", of: ["synthetic"], otherwise: (name) => `${name} is not drawn` },
  { name: "numpy", of: ["numpy"], otherwise: (name) => `${name} has no arrays` },
  { name: "csv", of: ["csv"], otherwise: (name) => `${name} has no tables` },
];

function checkFetch({ params, inputs }: CheckContext<FetchParams>): readonly StageProblem[] {
  const problems: StageProblem[] = [];
  const { dataset } = params;
  for (const { name, of, otherwise } of SETTINGS)
    if (params[name] !== undefined && !of.includes(dataset))
      problems.push({ path: ["with", name], message: otherwise(dataset) });
  if (dataset !== "cifar100" && params.labels !== "fine")
    problems.push({ path: ["with", "labels"], message: `${dataset} has one kind of label` });
  if (dataset === "synthetic") return [...problems, ...checkSynthetic({ params, inputs })];
  const range = (dataset === "csv" ? params.csv : params.numpy)?.valueRange;
  if (range !== undefined && range[0] === range[1])
    problems.push({ path: ["with", dataset, "valueRange"], message: "black and white are the same value" });
  if (params.csv?.header === false && typeof params.csv.label === "string")
    problems.push({
      path: ["with", "csv", ...(params.csv.label === "label" ? ["header"] : ["label"])],
      message: `without a header no column is called ${JSON.stringify(params.csv.label)}`,
      help: "give the number of the label's column, from 0: `label: 0`",
    });
  if (inputs.source !== undefined) return problems;
  if (sourcesOf(params).length === 0)
    problems.push({
      path: ["with", "dataset"],
      message: `${dataset} has no address of its own`,
      help: "connect a local archive or folder, `inputs: { source: ./images.tar.gz }`, or list `sources` with their sha256",
    });
  for (const [index, source] of params.sources.entries()) {
    if (source.sha256 === undefined && formatOf(params) === undefined)
      problems.push({
        path: ["with", "sources", index],
        message: "a source of data that tfpipe does not know needs its sha256",
        help: "without it, what is downloaded could change without anyone noticing",
      });
    if ("path" in source && !/^([\\/]|[A-Za-z]:[\\/])/.test(source.path))
      problems.push({
        path: ["with", "sources", index, "path"],
        message: `${JSON.stringify(source.path)} is no absolute path`,
        help: `connect it instead, relative to the pipeline: \`inputs: { source: ./${source.path.replace(/^\.\//, "")} }\``,
      });
  }
  return problems;
}

function checkSynthetic({ params, inputs }: CheckContext<FetchParams>): readonly StageProblem[] {
  const problems: StageProblem[] = [];
  const { kind, numClasses } = params.synthetic!;
  if (kind === "shapes" && numClasses > SHAPES.length)
    problems.push({
      path: ["with", "synthetic", "numClasses"],
      message: `there are ${SHAPES.length} shapes, not ${numClasses}`,
      help: `choose ${SHAPES.length} classes or fewer, or \`kind: blobs\``,
    });
  const unused = { message: "synthetic images are drawn, not read", help: "remove it, or choose another `dataset`" };
  if (inputs.source !== undefined) problems.push({ path: ["inputs", "source"], ...unused });
  if (params.sources.length > 0) problems.push({ path: ["with", "sources"], ...unused });
  return problems;
}

/** The sources to try, with the digest of a known data set filled in. */
function sourcesOf(params: FetchParams): FetchParams["sources"] {
  const known = formatOf(params);
  if (known === undefined) return params.sources;
  if (params.sources.length === 0) return [{ url: known.url, sha256: known.sha256 }];
  return params.sources.map((source) => ({ sha256: known.sha256, ...source }));
}

function formatOf({ dataset }: FetchParams): CifarFormat | undefined {
  return dataset === "cifar10" ? CIFAR10 : dataset === "cifar100" ? CIFAR100 : undefined;
}

function classNamesOf({ dataset, labels, classNames, synthetic }: FetchParams): readonly string[] | undefined {
  if (dataset === "cifar10") return CIFAR10_CLASSES;
  if (dataset === "cifar100") return labels === "fine" ? CIFAR100_FINE_CLASSES : CIFAR100_COARSE_CLASSES;
  return dataset === "synthetic" ? syntheticClassNames(synthetic!) : classNames;
}

function factsOf(params: FetchParams): Facts {
  const classNames = classNamesOf(params);
  const classes = classNames === undefined ? {} : { classNames, classes: classNames.length };
  const { channels, size } = layoutOf(params);
  return {
    ...classes,
    ...(channels === undefined ? {} : { channels }),
    ...(size === undefined ? {} : { height: size[0], width: size[1] }),
  };
}

/** What is known of the images before any is there. */
function layoutOf(params: FetchParams): { readonly channels?: number; readonly size?: readonly [number, number] } {
  switch (params.dataset) {
    case "cifar10":
    case "cifar100":
      return { channels: 3, size: [CIFAR_SIZE, CIFAR_SIZE] };
    case "imageFolder": {
      const size = sizeOf(params.imageSize);
      return { channels: params.channels, ...(size === undefined ? {} : { size }) };
    }
    case "idx":
      return { channels: 1 };
    case "numpy":
      return {};
    case "csv":
      return { channels: params.csv!.channels, size: [params.csv!.height, params.csv!.width] };
    case "synthetic":
      return { channels: params.synthetic!.channels, size: syntheticSize(params.synthetic!) };
  }
}

function countOf(params: FetchParams, split: "train" | "test"): Facts {
  if (params.dataset === "synthetic") return { count: params.synthetic![`${split}Count`] };
  const format = formatOf(params);
  if (format === undefined) return {};
  return split === "train"
    ? { count: format.trainFiles.length * format.recordsPerTrainFile }
    : { count: format.testFiles.length * format.recordsPerTestFile };
}

function sizeOf(setting: FetchParams["imageSize"]): readonly [height: number, width: number] | undefined {
  return typeof setting === "number" ? [setting, setting] : setting;
}
