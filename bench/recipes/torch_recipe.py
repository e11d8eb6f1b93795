"""The PyTorch side of compare.mjs: trains on the batches that come in on standard input, says what it measures on standard output."""
import json
import struct
import sys
import time

import numpy as np
import torch
import torchvision  # for the modules

torch.set_num_threads(2)
pipe = sys.stdin.buffer


def say(**message):
    print(json.dumps(message), flush=True)


def read_state(path):
    """A safetensors file of float32 tensors."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    state = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            state[name] = torch.from_numpy(np.frombuffer(data[begin:end], "<f4").copy().reshape(entry["shape"]))
    return state


def read_batch(shape):
    labels = np.frombuffer(pipe.read(4 * shape[0]), "<i4").astype(np.int64)
    pixels = np.frombuffer(pipe.read(int(np.prod(shape))), np.uint8).reshape(shape)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels)


start = json.loads(pipe.readline())
scope = {"torch": torch, "torchvision": torchvision}
exec(start["modules"], scope)
model = scope["model"]
missing = model.load_state_dict(read_state(start["weights"]), strict=False)
assert not missing.unexpected_keys and all("num_batches_tracked" in key for key in missing.missing_keys), missing
precise = torch.float64 if start["double"] else torch.float32
model = model.to(dtype=precise, memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), fused=True, **start["sgd"])
mean, std = (torch.tensor(start[name], dtype=precise) for name in ("mean", "std"))
autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=start["bfloat16"])


def to_input(pixels):
    """uint8 [n, h, w, c] to normalised [n, c, h, w] in channels_last memory."""
    return ((pixels.to(precise) / 255 - mean) / std).permute(0, 3, 1, 2)


def count_correct(pixels, labels):
    model.eval()
    with torch.inference_mode(), autocast:
        x = to_input(pixels)
        logits = model(x).float()
        if start["averageFlips"] and header["type"] == "test":
            logits = (logits + model(x.flip(3)).float()) / 2
    return (logits.argmax(1) == labels).sum().item()


seconds = 0.0
seen = {"valid": [0, 0], "test": [0, 0]}
while True:
    header = json.loads(pipe.readline())
    if header["type"] == "step":
        pixels, labels = read_batch(header["shape"])
        begin = time.perf_counter()
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = header["learningRate"]
            if header.get("momentum") is not None:
                group["momentum"] = header["momentum"]
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            logits = model(to_input(pixels))
        loss = torch.nn.functional.cross_entropy(logits.to(precise), labels, label_smoothing=start["labelSmoothing"])
        loss.backward()
        optimizer.step()
        value = loss.item()
        seconds += time.perf_counter() - begin
        say(loss=value)
    elif header["type"] in seen:
        pixels, labels = read_batch(header["shape"])
        seen[header["type"]][0] += count_correct(pixels, labels)
        seen[header["type"]][1] += len(labels)
    elif header["type"] == "epochEnd":
        say(valid=seen["valid"][0] / seen["valid"][1])
        seen["valid"] = [0, 0]
    else:
        say(test=seen["test"][0] / seen["test"][1], seconds=seconds)
        break
