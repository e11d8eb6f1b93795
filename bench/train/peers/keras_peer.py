"""Keras in graph mode: a tf.function train step without XLA. Started by run.mjs with one request."""
import json
import resource
import sys
import time

import numpy as np
import tensorflow as tf

request = json.loads(sys.argv[1])
batch, (height, width) = request["batch"], request["size"]
tf.config.threading.set_intra_op_parallelism_threads(request["threads"])
tf.config.threading.set_inter_op_parallelism_threads(request["threads"])
L = tf.keras.layers
MEAN, STD = np.float32([0.4914, 0.4822, 0.4465]), np.float32([0.247, 0.2435, 0.2616])


def conv(x, channels, size, stride=1, groups=1, bias=False):
    """Symmetric padding, as in PyTorch; equal to `same` where the stride is 1."""
    if size > 1 and stride > 1:
        x = L.ZeroPadding2D(size // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return L.Conv2D(channels, size, strides=stride, groups=groups, use_bias=bias, padding=padding)(x)


def norm(x):
    return L.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def resnet(x, bottleneck, layers, groups=1, width_per_group=64):
    x = L.ReLU()(norm(conv(x, 64, 7, 2)))
    x = L.MaxPool2D(3, 2)(L.ZeroPadding2D(1)(x))
    for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), layers)):
        inner, out = width * width_per_group // 64 * groups, width * (4 if bottleneck else 1)
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            identity = x
            if bottleneck:
                x = L.ReLU()(norm(conv(x, inner, 1)))
                x = L.ReLU()(norm(conv(x, inner, 3, stride, groups)))
                x = norm(conv(x, out, 1))
            else:
                x = L.ReLU()(norm(conv(x, out, 3, stride)))
                x = norm(conv(x, out, 3))
            if stride != 1 or identity.shape[-1] != out:
                identity = norm(conv(identity, out, 1, stride))
            x = L.ReLU()(L.Add()([x, identity]))
    return L.Dense(10)(L.GlobalAveragePooling2D()(x))


def vgg16(x):
    for width, convolutions in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)):
        for _ in range(convolutions):
            x = L.ReLU()(conv(x, width, 3, bias=True))
        x = L.MaxPool2D(2)(x)
    # AdaptiveAvgPool2d(7) of a map of 2 x 2 repeats its cells and averages the middle row and column.
    spread = np.zeros((7, x.shape[1]), np.float32)
    for row in range(7):
        begin, end = row * x.shape[1] // 7, -(-(row + 1) * x.shape[1] // 7)
        spread[row, begin:end] = 1 / (end - begin)
    x = L.Lambda(lambda t: tf.einsum("ia,jb,nabc->nijc", spread, spread, t))(x)
    x = L.Flatten()(x)
    for _ in range(2):
        x = L.Dropout(0.5)(L.Dense(4096, activation="relu")(x))
    return L.Dense(10)(x)


MODELS = {
    "resnet18": lambda x: resnet(x, False, (2, 2, 2, 2)),
    "resnet34": lambda x: resnet(x, False, (3, 4, 6, 3)),
    "resnet50": lambda x: resnet(x, True, (3, 4, 6, 3)),
    "resnext50_32x4d": lambda x: resnet(x, True, (3, 4, 6, 3), 32, 4),
    "vgg16": vgg16,
}
images = L.Input((height, width, 3))
model = tf.keras.Model(images, MODELS[request["model"]["architecture"]](images))
optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.9)
loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function(jit_compile=False)
def step(pixels, labels):
    x = (tf.cast(pixels, tf.float32) / 255.0 - MEAN) / STD
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(x, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


pixels = np.random.default_rng(1).integers(0, 256, (batch, height, width, 3), np.uint8)
labels = np.arange(batch, dtype=np.int32) % 10
seconds, spent, left = [], 0.0, request["warmup"]
while True:
    start = time.perf_counter()
    float(step(tf.constant(pixels), tf.constant(labels)))
    elapsed = time.perf_counter() - start
    if left > 0:
        left -= 1
        continue
    seconds.append(elapsed)
    spent += elapsed
    if request.get("steps") is not None:
        if len(seconds) >= request["steps"]:
            break
    elif len(seconds) >= request["minimumSteps"] and spent >= request["budgetSeconds"]:
        break
if sys.platform == "linux":
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
version = f"Keras {tf.keras.__version__}, TensorFlow {tf.__version__}"
print(json.dumps({"seconds": seconds, "peakBytes": peak, "version": version}), flush=True)
