"""PyTorch's side, as a careful user writes it: channels_last, fused SGD, inference_mode, uint8 batches normalised in the step.

Started by run.mjs with one request; the last line it prints is its reply.
"""
import json
import resource
import sys
import time

import numpy as np
import torch
import torchvision
from torchvision import transforms as T

request = json.loads(sys.argv[1])
kind, batch = request["kind"], request["batch"]
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)


def peak_bytes():
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


class Stopwatch:
    """`lap()` after each step: True when the request has enough of them."""

    def __init__(self):
        self.seconds, self.left, self.mark = [], request["warmup"], time.perf_counter()

    def lap(self):
        now = time.perf_counter()
        elapsed, self.mark = now - self.mark, now
        if self.left > 0:
            self.left -= 1
            return False
        self.seconds.append(elapsed)
        if request.get("steps") is not None:
            return len(self.seconds) >= request["steps"]
        return len(self.seconds) >= request["minimumSteps"] and sum(self.seconds) >= request["budgetSeconds"]


def reply(seconds):
    print(json.dumps({"seconds": seconds, "peakBytes": peak_bytes(), "version": f"PyTorch {torch.__version__}"}), flush=True)


def measure_network():
    torch.manual_seed(1)
    height, width = request["size"]
    bfloat16 = request["settings"]["bfloat16"]
    model = getattr(torchvision.models, request["model"]["architecture"])(num_classes=10)
    model = model.to(memory_format=torch.channels_last)
    # NHWC bytes seen as NCHW are channels_last already: nothing is copied but what the conversion to float copies.
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (batch, height, width, 3), np.uint8))
    labels = torch.arange(batch) % 10
    shift = torch.tensor([-m / s for m, s in zip(MEAN, STD)]).view(1, 3, 1, 1)
    scale = torch.tensor([1 / (255 * s) for s in STD]).view(1, 3, 1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    def images():
        return pixels.permute(0, 3, 1, 2).float().mul_(scale).add_(shift)

    def train_step():
        x = images()
        with autocast:
            logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    def evaluate():
        with torch.inference_mode(), autocast:
            return model(images()).float().numpy()

    step = train_step if kind == "step" else evaluate
    model.train(kind == "step")
    stopwatch = Stopwatch()
    while True:
        step()
        if stopwatch.lap():
            return reply(stopwatch.seconds)


class Images(torch.utils.data.Dataset):
    """Like torchvision's CIFAR10: uint8 pixels in memory, seen as PIL images by the transforms."""

    def __init__(self, transform):
        self.pixels = np.random.default_rng(1).integers(0, 256, (10_000, 32, 32, 3), np.uint8)
        self.transform = transform

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), index % 10


def transform_of(setting):
    (name, value), = setting.items()
    if name == "resize":
        return T.Resize((value, value))
    if name == "randomCrop":
        return T.RandomCrop(value["size"], padding=value["padding"]) if isinstance(value, dict) else T.RandomCrop(value)
    if name == "randomHorizontalFlip":
        return T.RandomHorizontalFlip(value)
    raise ValueError(name)


def measure_loader():
    # Bytes, as our loader gives: with ToTensor and Normalize it would do more than ours.
    dataset = Images(T.Compose([*map(transform_of, request["transforms"]), T.PILToTensor()]))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=batch, shuffle=True, drop_last=True, num_workers=request["threads"], persistent_workers=True
    )
    stopwatch = Stopwatch()
    while True:
        for _ in loader:
            if stopwatch.lap():
                return reply([sum(stopwatch.seconds) / len(stopwatch.seconds)])


torch.set_num_threads(request["threads"])
measure_loader() if kind == "load" else measure_network()
