/**
 * Where TensorFlow's C library comes from: the official wheels of one pinned version, by platform. Any CPython tag serves,
 * since nothing of Python is used. pip checks each sha256, and so does the installer.
 */
export interface Wheel {
  readonly requirement: string;
  /** `--python-version`, `--abi` and `--platform` for pip: a wheel for another Python than pip's own. */
  readonly python: string;
  readonly abi: string;
  readonly platform: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** TensorFlow's wheel, and on a GPU those that hold CUDA. */
export interface WheelSet {
  readonly tensorflow: Wheel;
  readonly cuda: readonly Wheel[];
}

export const TENSORFLOW_VERSION = "2.18.1";
/** Older ones lack the gradients of grouped convolutions on the CPU. */
export const OLDEST_TENSORFLOW = "2.15";

const CPU_WHEELS: Readonly<Record<string, Wheel>> = {
  "linux-x64": {
    requirement: "tensorflow-cpu==2.18.1",
    python: "311",
    abi: "cp311",
    platform: "manylinux_2_17_x86_64",
    sha256: "810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298",
    sizeBytes: 230_236_181,
  },
  "linux-arm64": {
    requirement: "tensorflow==2.18.1",
    python: "312",
    abi: "cp312",
    platform: "manylinux_2_17_aarch64",
    sha256: "1ba52b9c06ab8102b31e50acfaf56899b923171e603c8942f2bfeb181d6bb59e",
    sizeBytes: 231_996_787,
  },
  "darwin-arm64": {
    requirement: "tensorflow==2.18.1",
    python: "312",
    abi: "cp312",
    platform: "macosx_12_0_arm64",
    sha256: "98afa9c7f21481cdc6ccd09507a7878d533150fbb001840cc145e2132eb40942",
    sizeBytes: 239_622_377,
  },
};

/** What the `and-cuda` extra of TensorFlow 2.18.1 asks for, but nvcc, which only compiles. Sizes are not known: 0. */
const CUDA_WHEELS: Readonly<Record<string, string>> = {
  "nvidia-cublas-cu12==12.5.3.2": "ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b",
  "nvidia-cuda-cupti-cu12==12.5.82": "bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953",
  "nvidia-cuda-nvrtc-cu12==12.5.82": "3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd",
  "nvidia-cuda-runtime-cu12==12.5.82": "3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115",
  "nvidia-cudnn-cu12==9.3.0.75": "9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d",
  "nvidia-cufft-cu12==11.2.3.61": "9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8",
  "nvidia-curand-cu12==10.3.6.82": "2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536",
  "nvidia-cusolver-cu12==11.6.3.83": "93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b",
  "nvidia-cusparse-cu12==12.5.1.3": "016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752",
  "nvidia-nccl-cu12==2.21.5": "8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0",
  "nvidia-nvjitlink-cu12==12.5.82": "f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212",
};

/** Undefined where TensorFlow has no wheel for such a machine. The GPU set is pinned, but was never run. */
export function wheelsFor(platform: string, architecture: string, device: "cpu" | "gpu"): WheelSet | undefined {
  const host = `${platform}-${architecture}`;
  if (device === "cpu") {
    const tensorflow = CPU_WHEELS[host];
    return tensorflow === undefined ? undefined : { tensorflow, cuda: [] };
  }
  if (host !== "linux-x64") return undefined;
  const linux = { python: "311", abi: "cp311", platform: "manylinux2014_x86_64", sizeBytes: 0 };
  return {
    tensorflow: {
      ...linux,
      requirement: "tensorflow==2.18.1",
      platform: "manylinux_2_17_x86_64",
      sha256: "c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828",
    },
    cuda: Object.entries(CUDA_WHEELS).map(([requirement, sha256]) => ({ ...linux, abi: "none", requirement, sha256 })),
  };
}
