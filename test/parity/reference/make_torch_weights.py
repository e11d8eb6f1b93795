"""Writes a small torchvision state dict as safetensors, and the logits that PyTorch computes with it; and floats of each type.

    python3 make_torch_weights.py OUT_DIR

Needs the package `safetensors` beside PyTorch and torchvision. `width_per_group` keeps the file small: the bottlenecks'
3x3 convolutions have few channels, and most of the large filters' values are zero, so that gzip does the rest. Trained statistics are imitated by a forward in training mode, so that running means
and the batch counters are those a real training leaves.
"""
import gzip, json, os, sys
import torch
from torchvision.models.resnet import Bottleneck, ResNet
from safetensors.torch import save
from make_reference import draw


def main(out_dir):
    torch.manual_seed(5)
    model = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=7, width_per_group=1)
    keep = 0.04
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 20000:
                parameter.mul_((torch.rand(parameter.shape) < keep) / keep ** 0.5)
    x = torch.from_numpy(draw('input', 2 * 3 * 32 * 32)).reshape(2, 3, 32, 32)
    model.train()
    with torch.no_grad():
        for step in range(3):
            model(torch.from_numpy(draw(f'batch{step}', 8 * 3 * 32 * 32)).reshape(8, 3, 32, 32).float())
    model.half()
    model.eval()
    state = {name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}
    write_gzip(out_dir, 'torchvision-f16.safetensors.gz', save(state, metadata={'format': 'pt'}))
    # The logits of the very numbers in the file, in double.
    model.double()
    with torch.no_grad():
        logits = model(x)
    value = dict(input=[2, 3, 32, 32], eval_logits=logits.tolist(),
                 options=dict(block='bottleneck', layers=[1, 1, 1, 1], num_classes=7, width_per_group=1),
                 names=list(state))
    write_json(out_dir, 'torchvision-f16.json', value)
    write_types(out_dir)


def write_types(out_dir):
    """The same numbers in every float type, and what each is as float32: rounding ties, subnormals, infinities."""
    numbers = [0.0, -0.0, 1.0, -1.5, 1 / 3, 65504.0, 6e-8, 5.9e-5, 1e-40, 3.3895e38, 1 + 2 ** -24, float('inf')]
    types = dict(F16=torch.float16, BF16=torch.bfloat16, F32=torch.float32, F64=torch.float64)
    tensors = {name: torch.tensor(numbers, dtype=torch.float64).to(dtype) for name, dtype in types.items()}
    write_gzip(out_dir, 'torch-floats.safetensors.gz', save(tensors))
    bits = {name: [f'{v & 0xffffffff:08x}' for v in t.float().view(torch.int32).tolist()] for name, t in tensors.items()}
    write_json(out_dir, 'torch-floats.json', bits)


def write_gzip(out_dir, name, data):
    with open(os.path.join(out_dir, name), 'wb') as file:
        file.write(gzip.compress(data, 9, mtime=0))


def write_json(out_dir, name, value):
    with open(os.path.join(out_dir, name), 'w') as file:
        file.write(json.dumps(value, indent=1) + '\n')


if __name__ == '__main__':
    torch.set_num_threads(2)
    main(sys.argv[1])
