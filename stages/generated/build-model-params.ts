/** Generated from schemas/build-model.schema.json. Do not edit: run `npm run generate`. */

/**
 * Settings of a build-model stage: which architecture, in which variant, for how many classes, and the seed its weights are drawn from. Names and semantics are torchvision's.
 */
export interface BuildModelParams {
  /**
   * A published architecture. Leave it out and give `block` and `layers` to put a ResNet together.
   */
  architecture?:
    | "resnet9"
    | "resnet18"
    | "resnet34"
    | "resnet50"
    | "resnet101"
    | "resnet152"
    | "resnext50_32x4d"
    | "resnext101_32x8d"
    | "wide_resnet50_2"
    | "wide_resnet101_2"
    | "vgg11"
    | "vgg11_bn"
    | "vgg13"
    | "vgg13_bn"
    | "vgg16"
    | "vgg16_bn"
    | "vgg19"
    | "vgg19_bn";
  /**
   * The block of a ResNet without a name: `basic` has two 3x3 convolutions, `bottleneck` a 1x1, a 3x3 and a 1x1. Needs `layers`.
   */
  block?: "basic" | "bottleneck";
  /**
   * How many blocks each of the four stages of a ResNet without a name has. Needs `block`.
   */
  layers?: number[];
  /**
   * How many classes the model tells apart: the outputs of its last layer.
   */
  numClasses: number;
  /**
   * Channels of the images: 3 for colour, 1 for grey.
   */
  imageChannels: number;
  /**
   * Groups of each bottleneck's 3x3 convolution, as in ResNeXt. Left out, it is the architecture's own.
   */
  groups?: number;
  /**
   * Width of a bottleneck's 3x3 convolution per group; 64 is a ResNet's, 128 a Wide ResNet's. Left out, it is the architecture's own.
   */
  widthPerGroup?: number;
  /**
   * Starts every residual block as the identity, by a zero scale in its last norm (Goyal et al. 2017).
   */
  zeroInitResidual: boolean;
  /**
   * For the second, third and fourth stage of a bottleneck ResNet: true keeps the resolution and dilates the 3x3 convolutions instead of striding.
   */
  replaceStrideWithDilation: boolean[];
  /**
   * The norm after each convolution of a ResNet: `batchNorm`, or `groupNorm` with 32 groups (Wu & He 2018). Left out, it is the architecture's own.
   */
  norm?: "batchNorm" | "groupNorm";
  /**
   * The share of activations that VGG's classifier drops while it trains. Left out, it is 0.5.
   */
  dropout?: number;
  /**
   * With `resnet9`: channels of the first convolution; the others have two, four and eight times as many. Left out, it is 64.
   */
  width?: number;
  /**
   * With `weights` connected: draws the last layer from the seed instead of loading it, to fine-tune for other classes.
   */
  newHead: boolean;
  /**
   * With `images` connected: starts the first convolution's filters as the principal components of the images' patches, each and its negative, instead of at random (input patch whitening). Needs a norm behind it to scale them. Left out, all filters are drawn.
   */
  whitenPatches?: boolean;
  /**
   * Height and width of the images for which the layer table (the output `layers`) shows shapes and MACs. The model does not depend on it.
   */
  imageSize: number;
  /**
   * What the initial weights are drawn from. Each parameter has its own stream, named after it.
   */
  seed: number;
}
