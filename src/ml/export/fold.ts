/**
 * What an export computes ahead, since weights no longer change: a batch norm goes into the convolution before it, an
 * average pooling into the linear layer behind it. In double precision, rounded once; the same function up to that.
 */
import type { BatchNormLayer, ConvLayer, LinearLayer } from "../nn/layer.ts";

/** A parameter or buffer by torchvision's name, in PyTorch's layout, float32. */
export type ReadWeight = (name: string) => Float32Array;

export interface FoldedConvolution {
  /** OIHW. */
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** gamma (W x + b - mean) / sqrt(var + eps) + beta, as one convolution. */
export function foldBatchNorm(conv: ConvLayer, norm: BatchNormLayer | undefined, read: ReadWeight): FoldedConvolution {
  const weight = read(`${conv.name}.weight`);
  const bias = conv.bias ? read(`${conv.name}.bias`) : undefined;
  if (norm === undefined) return { weight, bias };
  const { scale, shift } = normAffine(norm, read);
  const perOutput = weight.length / conv.outChannels;
  return {
    weight: weight.map((value, at) => value * scale[Math.floor(at / perOutput)]!),
    bias: Float32Array.from(shift, (value, channel) => value + (bias?.[channel] ?? 0) * scale[channel]!),
  };
}

/** A batch norm in evaluation as scale x + shift. */
export function normAffine(
  { name, epsilon }: BatchNormLayer,
  read: ReadWeight,
): { readonly scale: Float64Array; readonly shift: Float64Array } {
  const [gamma, beta] = [read(`${name}.weight`), read(`${name}.bias`)];
  const [mean, variance] = [read(`${name}.running_mean`), read(`${name}.running_var`)];
  const scale = Float64Array.from(gamma, (value, channel) => value / Math.sqrt(variance[channel]! + epsilon));
  return { scale, shift: scale.map((value, channel) => beta[channel]! - mean[channel]! * value) };
}

/** A filter with its zeros written out: the same convolution without a dilation. OIHW. */
export function dilateFilter(weight: Float32Array, kernelSize: number, dilation: number): Float32Array {
  const extent = dilation * (kernelSize - 1) + 1;
  const planes = weight.length / kernelSize ** 2;
  const dilated = new Float32Array(planes * extent ** 2);
  for (let plane = 0, from = 0; plane < planes; plane++)
    for (let y = 0; y < kernelSize; y++)
      for (let x = 0; x < kernelSize; x++)
        dilated[(plane * extent + y * dilation) * extent + x * dilation] = weight[from++]!;
  return dilated;
}

/**
 * The weight of a linear layer that takes [h, w, c] directly instead of its pooling to `pooled` x `pooled`, as [in, out].
 * Row (y, x, c) collects the cells that average pixel (y, x), each with its share.
 */
export function foldPool(
  { inFeatures, outFeatures }: LinearLayer,
  weight: Float32Array,
  pooled: number,
  [height, width]: readonly [number, number],
): Float32Array {
  const cells = pooled ** 2;
  const channels = inFeatures / cells;
  const rows = poolShares(height, pooled);
  const columns = poolShares(width, pooled);
  const folded = new Float32Array(height * width * channels * outFeatures);
  for (let out = 0; out < outFeatures; out++)
    for (let channel = 0; channel < channels; channel++) {
      const start = out * inFeatures + channel * cells;
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          let sum = 0;
          for (const [row, rowShare] of rows[y]!)
            for (const [column, columnShare] of columns[x]!)
              sum += weight[start + row * pooled + column]! * rowShare * columnShare;
          folded[((y * width + x) * channels + channel) * outFeatures + out] = sum;
        }
    }
  return folded;
}

/** By position: the cells whose average it is in, with its share. Cell i averages floor(i n / k) to ceil((i + 1) n / k), as PyTorch does. */
function poolShares(length: number, pooled: number): readonly (readonly [cell: number, share: number])[][] {
  const shares: [number, number][][] = Array.from({ length }, () => []);
  for (let cell = 0; cell < pooled; cell++) {
    const begin = Math.floor((cell * length) / pooled);
    const end = Math.ceil(((cell + 1) * length) / pooled);
    for (let at = begin; at < end; at++) shares[at]!.push([cell, 1 / (end - begin)]);
  }
  return shares;
}
