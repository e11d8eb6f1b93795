"""Writes reference values for ResNet-9, which torchvision does not have, by the rules of `make_reference.py`.

    python3 make_resnet9.py OUT_DIR

The modules are written here on their own, not taken from what the project exports: the two must agree. A small one, so
that double precision is quick: 8 channels wide, two images of 32 pixels.
"""
import json, os, sys
import torch
from torch import nn
from make_reference import draw, fill

WIDTH, BATCH, SIZE, STEPS = 8, 2, 32, 3


class ConvBnRelu(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return nn.functional.relu(self.bn(self.conv(x)))


class Downsample(nn.Module):
    """Page's layer: convolution, the largest of each 2x2, norm, ReLU; then x + f(f(x)) where it is residual."""

    def __init__(self, inputs, outputs, residual):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if residual:
            self.residual = nn.ModuleList([ConvBnRelu(outputs, outputs), ConvBnRelu(outputs, outputs)])

    def forward(self, x):
        y = nn.functional.relu(self.bn(nn.functional.max_pool2d(self.conv(x), 2)))
        if hasattr(self, 'residual'):
            first, second = self.residual
            y = y + second(first(y))
        return y


class ResNet9(nn.Module):
    def __init__(self):
        super().__init__()
        self.prep = ConvBnRelu(3, WIDTH)
        self.layer1 = Downsample(WIDTH, 2 * WIDTH, residual=True)
        self.layer2 = Downsample(2 * WIDTH, 4 * WIDTH, residual=False)
        self.layer3 = Downsample(4 * WIDTH, 8 * WIDTH, residual=True)
        self.linear = nn.Linear(8 * WIDTH, 10)

    def forward(self, x):
        y = self.layer3(self.layer2(self.layer1(self.prep(x))))
        return 0.125 * self.linear(y.amax((2, 3)))


def make():
    model = ResNet9().double()
    fill(model)
    return model


def main(out_dir):
    model = make()
    x = torch.from_numpy(draw('input', BATCH * 3 * SIZE * SIZE)).reshape(BATCH, 3, SIZE, SIZE)
    y = torch.arange(BATCH)
    out = dict(arch='resnet9', options=dict(width=WIDTH), input=[BATCH, 3, SIZE, SIZE], labels=y.tolist(),
               parameters=[dict(name=n, shape=list(p.shape)) for n, p in model.named_parameters()],
               parameter_count=sum(p.numel() for p in model.parameters()))
    model.eval()
    with torch.no_grad():
        out['eval_logits'] = model(x).tolist()
    model.train()
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    out['train_logits'] = logits.tolist()
    out['train_loss'] = loss.item()
    out['gradient_l2'] = {n: p.grad.norm().item() for n, p in model.named_parameters()}
    out['running_after'] = {n: b.tolist() for n, b in model.named_buffers() if 'running' in n}
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    out['sgd'] = dict(lr=0.01, momentum=0.9, losses=losses)
    with open(os.path.join(out_dir, 'resnet9.json'), 'w') as file:
        file.write(json.dumps(out, indent=1) + '\n')


if __name__ == '__main__':
    torch.set_num_threads(2)
    main(sys.argv[1])
