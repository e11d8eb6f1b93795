"""Times SGD steps of torchvision's ResNet-34, channels_last, float32: step_torch.py SIZE BATCH STEPS."""
import json
import resource
import sys
import time

import torch
import torchvision

size, batch, steps = map(int, sys.argv[1:4])
torch.set_num_threads(2)
torch.manual_seed(1)
model = torchvision.models.resnet34(num_classes=10).to(memory_format=torch.channels_last)
images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
labels = torch.arange(batch) % 10
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
seconds = []
for _ in range(steps):
    start = time.perf_counter()
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peakBytes": peak, "version": torch.__version__}))
