/**
 * A first convolution that starts where images differ instead of at random: its filters are the principal components of
 * the images' patches, each and its negative, the one of most variance first (input patch whitening: Page 2018, "How to
 * train your ResNet 8: Bag of tricks"; the pairs of signs are Jordan 2024, arXiv:2404.00498). The norm behind it gives each
 * its own scale, which makes the patches white. Filters that are left over stay as they were drawn.
 *
 * Only sums, products and square roots: the same images give the same bits on every machine.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { DataError } from "../data/data-error.ts";
import type { Dataset } from "../data/dataset.ts";
import type { ConvLayer, Layer } from "../nn/layer.ts";

/** So many images are looked at, evenly over the dataset: components of some millions of patches do not move any more. */
const IMAGES = 2000;

/** The convolution that sees the images: the first layer. Undefined where the first layer is another one. */
export function firstConvolution(layers: readonly Layer[]): ConvLayer | undefined {
  const [first] = layers;
  return first?.type === "conv2d" ? first : undefined;
}

/** `state` with the first convolution's filters replaced. Filters keep the length that He's initialisation has on average. */
export function whitenPatches(
  state: Readonly<Record<string, StoredTensor>>,
  convolution: ConvLayer,
  images: Dataset,
): Record<string, StoredTensor> {
  const { name, kernelSize, inChannels, outChannels } = convolution;
  const components = principalComponents(patchCovariance(images, kernelSize));
  const size = kernelSize * kernelSize * inChannels;
  const length = Math.sqrt((2 * inChannels) / outChannels);
  const key = `${name}.weight`;
  const weight = (state[key]!.data as Float32Array).slice();
  for (let filter = 0; filter < outChannels && filter >> 1 < size; filter++) {
    const component = components[filter >> 1]!;
    const factor = filter % 2 === 0 ? length : -length;
    for (let i = 0; i < size; i++) weight[filter * size + i] = factor * component[i]!;
  }
  return { ...state, [key]: { ...state[key]!, data: weight } };
}

/**
 * The covariance of all patches of `kernelSize` squared pixels over all channels, in PyTorch's order of a filter (channel,
 * row, column), of the stored images scaled as the dataset says.
 */
export function patchCovariance(images: Dataset, kernelSize: number): number[][] {
  const { channels, height, width, transform } = images;
  const size = kernelSize * kernelSize * channels;
  const sums = new Float64Array(size);
  const products = Array.from({ length: size }, () => new Float64Array(size));
  const patch = new Float64Array(size);
  if (Math.min(height, width) < kernelSize)
    throw new DataError(`images of ${height} x ${width} pixels have no patches of ${kernelSize} x ${kernelSize}`);
  const step = Math.max(1, Math.floor(images.length / IMAGES));
  // Patches that overlap by less than half say as much as all of them do.
  const stride = Math.ceil(kernelSize / 2);
  let count = 0;
  for (let index = 0; index < images.length; index += step) {
    const pixels = images.image(index);
    for (let top = 0; top + kernelSize <= height; top += stride)
      for (let left = 0; left + kernelSize <= width; left += stride) {
        for (let i = 0; i < size; i++) {
          const channel = Math.floor(i / (kernelSize * kernelSize));
          const row = top + (Math.floor(i / kernelSize) % kernelSize);
          const value = pixels[(row * width + left + (i % kernelSize)) * channels + channel]! / 255;
          patch[i] = (value - (transform?.mean[channel] ?? 0)) / (transform?.std[channel] ?? 1);
        }
        for (let i = 0; i < size; i++) {
          const own = patch[i]!;
          sums[i]! += own;
          const line = products[i]!;
          for (let j = i; j < size; j++) line[j]! += own * patch[j]!;
        }
        count++;
      }
  }
  return products.map((_, i) =>
    Array.from({ length: size }, (__, j) => {
      const product = products[Math.min(i, j)]![Math.max(i, j)]!;
      return product / count - (sums[i]! / count) * (sums[j]! / count);
    }),
  );
}

/**
 * Unit eigenvectors of a symmetric matrix, that of the largest eigenvalue first, each with its largest element positive.
 * By Jacobi's rotations (Golub & Van Loan, Matrix Computations, 8.5), which are exact to rounding for small matrices.
 */
export function principalComponents(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((__, j) => Number(i === j)));
  const scale = a.reduce((sum, row, i) => sum + row[i]! ** 2, 0);
  const offDiagonal = () => a.reduce((sum, row, i) => row.slice(0, i).reduce((s, x) => s + x * x, sum), 0);
  for (let sweep = 0; sweep < 60 && offDiagonal() > 1e-26 * scale; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  return vectors
    .map((vector, i) => ({ vector, value: a[i]![i]! }))
    .sort((left, right) => right.value - left.value)
    .map(({ vector }) => {
      const largest = vector.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
      return largest < 0 ? vector.map((x) => -x) : vector;
    });
}

/** Makes a[p][q] zero; `vectors` has the eigenvectors in rows. */
function rotate(a: number[][], vectors: number[][], p: number, q: number): void {
  const off = a[p]![q]!;
  if (off === 0) return;
  const tau = (a[q]![q]! - a[p]![p]!) / (2 * off);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  for (const row of a) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
  for (const rows of [a, vectors]) {
    const [x, y] = [rows[p]!, rows[q]!];
    rows[p] = x.map((value, i) => c * value - s * y[i]!);
    rows[q] = x.map((value, i) => s * value + c * y[i]!);
  }
}
