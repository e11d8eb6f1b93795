import { expect, test } from "vitest";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { layerTable, renderLayerTable } from "../../../src/ml/nn/layer-table.ts";

test("has a line per layer with its output, parameters and MACs", () => {
  const description = describeModel({ block: "bottleneck", layers: [1, 1, 1, 1], groups: 2, numClasses: 10 });
  expect(renderLayerTable(description, 110, 110)).toMatchInlineSnapshot(`
    "resnet-bottleneck-1-1-1-1-2x64d: 110 x 110 x 3 images, 10 classes

    layer                  type                          output         parameters         MACs
    -------------------------------------------------------------------------------------------
    conv1                  conv 7x7, stride 2            55 x 55 x 64        9,408   28,459,200
    bn1                    batch norm                    55 x 55 x 64          128            0
    relu                   relu                          55 x 55 x 64            0            0
    maxpool                max pool 3x3, stride 2        28 x 28 x 64            0            0
    layer1.0.conv1         conv 1x1                      28 x 28 x 128       8,192    6,422,528
    layer1.0.bn1           batch norm                    28 x 28 x 128         256            0
    layer1.0.relu1         relu                          28 x 28 x 128           0            0
    layer1.0.conv2         conv 3x3, groups 2            28 x 28 x 128      73,728   57,802,752
    layer1.0.bn2           batch norm                    28 x 28 x 128         256            0
    layer1.0.relu2         relu                          28 x 28 x 128           0            0
    layer1.0.conv3         conv 1x1                      28 x 28 x 256      32,768   25,690,112
    layer1.0.bn3           batch norm                    28 x 28 x 256         512            0
    layer1.0.downsample.0  conv 1x1                      28 x 28 x 256      16,384   12,845,056
    layer1.0.downsample.1  batch norm                    28 x 28 x 256         512            0
    layer1.0.add           add                           28 x 28 x 256           0            0
    layer1.0.relu          relu                          28 x 28 x 256           0            0
    layer2.0.conv1         conv 1x1                      28 x 28 x 256      65,536   51,380,224
    layer2.0.bn1           batch norm                    28 x 28 x 256         512            0
    layer2.0.relu1         relu                          28 x 28 x 256           0            0
    layer2.0.conv2         conv 3x3, stride 2, groups 2  14 x 14 x 256     294,912   57,802,752
    layer2.0.bn2           batch norm                    14 x 14 x 256         512            0
    layer2.0.relu2         relu                          14 x 14 x 256           0            0
    layer2.0.conv3         conv 1x1                      14 x 14 x 512     131,072   25,690,112
    layer2.0.bn3           batch norm                    14 x 14 x 512       1,024            0
    layer2.0.downsample.0  conv 1x1, stride 2            14 x 14 x 512     131,072   25,690,112
    layer2.0.downsample.1  batch norm                    14 x 14 x 512       1,024            0
    layer2.0.add           add                           14 x 14 x 512           0            0
    layer2.0.relu          relu                          14 x 14 x 512           0            0
    layer3.0.conv1         conv 1x1                      14 x 14 x 512     262,144   51,380,224
    layer3.0.bn1           batch norm                    14 x 14 x 512       1,024            0
    layer3.0.relu1         relu                          14 x 14 x 512           0            0
    layer3.0.conv2         conv 3x3, stride 2, groups 2  7 x 7 x 512     1,179,648   57,802,752
    layer3.0.bn2           batch norm                    7 x 7 x 512         1,024            0
    layer3.0.relu2         relu                          7 x 7 x 512             0            0
    layer3.0.conv3         conv 1x1                      7 x 7 x 1024      524,288   25,690,112
    layer3.0.bn3           batch norm                    7 x 7 x 1024        2,048            0
    layer3.0.downsample.0  conv 1x1, stride 2            7 x 7 x 1024      524,288   25,690,112
    layer3.0.downsample.1  batch norm                    7 x 7 x 1024        2,048            0
    layer3.0.add           add                           7 x 7 x 1024            0            0
    layer3.0.relu          relu                          7 x 7 x 1024            0            0
    layer4.0.conv1         conv 1x1                      7 x 7 x 1024    1,048,576   51,380,224
    layer4.0.bn1           batch norm                    7 x 7 x 1024        2,048            0
    layer4.0.relu1         relu                          7 x 7 x 1024            0            0
    layer4.0.conv2         conv 3x3, stride 2, groups 2  4 x 4 x 1024    4,718,592   75,497,472
    layer4.0.bn2           batch norm                    4 x 4 x 1024        2,048            0
    layer4.0.relu2         relu                          4 x 4 x 1024            0            0
    layer4.0.conv3         conv 1x1                      4 x 4 x 2048    2,097,152   33,554,432
    layer4.0.bn3           batch norm                    4 x 4 x 2048        4,096            0
    layer4.0.downsample.0  conv 1x1, stride 2            4 x 4 x 2048    2,097,152   33,554,432
    layer4.0.downsample.1  batch norm                    4 x 4 x 2048        4,096            0
    layer4.0.add           add                           4 x 4 x 2048            0            0
    layer4.0.relu          relu                          4 x 4 x 2048            0            0
    avgpool                average pool                  1 x 1 x 2048            0            0
    flatten                flatten                       2048                    0            0
    fc                     linear                        10                 20,490       20,480
    -------------------------------------------------------------------------------------------
    total                                                               13,258,570  646,353,088
    "
  `);
});

test("shows the classifier of a VGG", () => {
  const text = renderLayerTable(describeModel({ architecture: "vgg11", numClasses: 10 }), 32, 32);
  expect(text.slice(text.indexOf("features.19"))).toMatchInlineSnapshot(`
    "features.19   relu                    2 x 2 x 512              0            0
    features.20   max pool 2x2, stride 2  1 x 1 x 512              0            0
    avgpool       average pool            7 x 7 x 512              0            0
    flatten       flatten                 25088                    0            0
    classifier.0  linear                  4096           102,764,544  102,760,448
    classifier.1  relu                    4096                     0            0
    classifier.2  dropout 0.5             4096                     0            0
    classifier.3  linear                  4096            16,781,312   16,777,216
    classifier.4  relu                    4096                     0            0
    classifier.5  dropout 0.5             4096                     0            0
    classifier.6  linear                  10                  40,970       40,960
    -----------------------------------------------------------------------------
    total                                                128,807,306  272,343,040
    "
  `);
});

test("rows follow images that are not square", () => {
  const rows = layerTable(describeModel({ architecture: "resnet18", numClasses: 10 }), 64, 96);
  expect(rows[0]?.outputShape).toEqual([32, 48, 64]);
});

test("says which layer is left with nothing when the images are too small", () => {
  const vgg = describeModel({ architecture: "vgg11", numClasses: 10 });
  expect(() => layerTable(vgg, 16, 16)).toThrow("the images are too small: features.20 gets 1 x 1");
});
