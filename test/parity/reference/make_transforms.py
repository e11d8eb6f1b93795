"""Writes transforms-pillow.json: what Pillow and torchvision make of drawn images (see ../draw.ts).

Run with Python that has Pillow, NumPy, PyTorch and torchvision: python make_transforms.py
Made with Pillow 13.0, torchvision 0.29, PyTorch 2.15 on x86-64 (no fused multiply-add).
Each case holds the digest of all bytes and the first bytes of the middle row, which say more when a test fails.
"""
import hashlib
import json
import os
import sys

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F


def draw_bytes(name, count):
    """floor((draw(name, count) + 1) * 128), the rule of draw.ts."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) + value) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x7FEB352D)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(0x846CA68B)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return np.floor(x.astype(np.float64) / 2**31 * 128).astype(np.uint8)


IMAGES = {"square": (32, 32, 3), "wide": (20, 31, 3), "gray": (24, 17, 1)}
# Smooth ones too: noise alone would hide a shift of a neighbour's weight.
SMOOTH = {"ramp": (30, 40, 3)}


def image(name):
    if name in SMOOTH:
        height, width, _ = SMOOTH[name]
        y, x = np.mgrid[0:height, 0:width]
        array = np.stack([(x * 6) % 256, (y * 8) % 256, (x * 3 + y * 4) % 256], axis=-1).astype(np.uint8)
    else:
        height, width, channels = IMAGES[name]
        array = draw_bytes(name, height * width * channels).reshape(height, width, channels)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def case(result, **numbers):
    array = np.asarray(result)
    row = array[array.shape[0] // 2].reshape(-1)[:12].tolist()
    return dict(**numbers, sha256=hashlib.sha256(array.tobytes()).hexdigest(), middleRow=row)


INTERPOLATIONS = {
    "nearest": (Image.NEAREST, InterpolationMode.NEAREST),
    "bilinear": (Image.BILINEAR, InterpolationMode.BILINEAR),
    "bicubic": (Image.BICUBIC, InterpolationMode.BICUBIC),
}
ALL = [*IMAGES, *SMOOTH]
out = {}

out["resize"] = [
    case(image(name).resize(to[::-1], code), image=name, to=to, interpolation=interpolation)
    for name in ALL
    for interpolation, (code, _) in INTERPOLATIONS.items()
    for to in [(120, 120), (20, 20), (7, 50), (33, 5), (1, 1)]
]

# top, left, height, width.
out["resizedCrop"] = [
    case(F.resized_crop(image(name), *box, list(to), mode), image=name, box=box, to=to, interpolation=interpolation)
    for name, box in [("square", (3, 5, 20, 11)), ("wide", (0, 0, 20, 31)), ("gray", (10, 2, 7, 15)), ("ramp", (4, 9, 3, 2))]
    for interpolation, (_, mode) in INTERPOLATIONS.items()
    for to in [(16, 16), (24, 40)]
]

out["rotate"] = [
    case(F.rotate(image(name), angle, mode, fill=fill), image=name, angle=angle, interpolation=interpolation, fill=fill)
    for name in ALL
    for interpolation, (_, mode) in INTERPOLATIONS.items()
    if interpolation != "bicubic"
    for angle, fill in [(0, 0), (15, 0), (-7.25, 128), (45, 255), (90, 0), (180, 0), (270, 9), (123.456, 30), (-400.5, 1), (1e-9, 0)]
] + [
    case(F.rotate(image("square"), 33.3, InterpolationMode.BILINEAR, fill=[10, 20, 30]), image="square", angle=33.3,
         interpolation="bilinear", fill=[10, 20, 30]),
]

ADJUST = {
    "brightness": (F.adjust_brightness, [0, 0.25, 0.9, 1, 1.1, 1.7, 3.3]),
    "contrast": (F.adjust_contrast, [0, 0.25, 0.9, 1, 1.1, 1.7, 3.3]),
    "saturation": (F.adjust_saturation, [0, 0.25, 0.9, 1, 1.1, 1.7, 3.3]),
    "hue": (F.adjust_hue, [-0.5, -0.21, -0.003, 0, 0.1, 0.37, 0.5]),
}
out["colorJitter"] = [
    case(adjust(image(name), factor), image=name, component=component, factor=factor)
    for component, (adjust, factors) in ADJUST.items()
    for name in ["square", "gray", "ramp"]
    for factor in factors
]


def jitter(img, order, factors):
    jittered = T.ColorJitter(0.5, 0.5, 0.5, 0.25)
    jittered.get_params = lambda *_: (torch.tensor(order), *factors)
    return jittered(img)


FACTORS = (1.3, 0.7, 1.4, 0.11)
out["colorJitterOrder"] = [
    case(jitter(image("square"), order, FACTORS), order=order, factors=FACTORS)
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]
]


class Scripted:
    """torchvision's draws, from a list of numbers in [0, 1): uniform_(a, b) is a + u (b - a), randint(n) is floor(u n)."""

    def __init__(self, numbers):
        self.numbers = list(numbers)

    def run(self, get_params):
        uniform_, randint = torch.Tensor.uniform_, torch.randint
        torch.Tensor.uniform_ = lambda t, a, b: t.fill_(float(a) + self.numbers.pop(0) * (float(b) - float(a)))
        torch.randint = lambda low, high, size: torch.tensor([low + int(self.numbers.pop(0) * (high - low))])
        try:
            return get_params()
        finally:
            torch.Tensor.uniform_, torch.randint = uniform_, randint


def numbers(name):
    return (draw_bytes(name, 44) / 256).tolist()


CROP_SETTINGS = [
    ((32, 32), (0.08, 1.0), (3 / 4, 4 / 3)),
    ((20, 31), (0.08, 1.0), (3 / 4, 4 / 3)),
    ((240, 320), (0.5, 1.0), (0.5, 2.0)),
    # Never fits: the fallbacks (too wide, too tall, whole).
    ((10, 100), (0.9, 1.0), (3 / 4, 4 / 3)),
    ((100, 10), (0.9, 1.0), (3 / 4, 4 / 3)),
    ((7, 7), (1.0, 1.0), (0.99, 1.5)),
]
out["drawResizedCrop"] = [
    dict(
        numbers=f"{index} {repeat}",
        size=size,
        scale=scale,
        ratio=ratio,
        box=[int(v) for v in Scripted(numbers(f"{index} {repeat}")).run(
            lambda: T.RandomResizedCrop.get_params(torch.zeros(3, *size), list(scale), list(ratio)))],
    )
    for index, (size, scale, ratio) in enumerate(CROP_SETTINGS)
    for repeat in range(4)
]

ERASE_SETTINGS = [((32, 32), (0.02, 0.33), (0.3, 3.3)), ((20, 31), (0.02, 0.33), (0.3, 3.3)), ((9, 40), (0.8, 0.95), (0.3, 3.3))]


def erased(size, scale, ratio, name):
    img = torch.zeros(3, *size)
    y, x, h, w, value = Scripted(numbers(name)).run(
        lambda: T.RandomErasing.get_params(img, scale, ratio, [0.0]))
    return None if value is img else [int(v) for v in (y, x, h, w)]


out["drawErasing"] = [
    dict(numbers=f"{index} {repeat}", size=size, scale=scale, ratio=ratio, box=erased(size, scale, ratio, f"{index} {repeat}"))
    for index, (size, scale, ratio) in enumerate(ERASE_SETTINGS)
    for repeat in range(4)
]

path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "transforms-pillow.json")
with open(path, "w") as file:
    file.write("{\n")
    file.write(",\n".join(f" {json.dumps(key)}: [\n" + ",\n".join("  " + json.dumps(c) for c in cases) + "\n ]" for key, cases in out.items()))
    file.write("\n}\n")
