"""Writes reference values for models that `make_reference.py` leaves out, by its rules and in its file format.

    python3 make_more_references.py OUT_DIR [NAME ...]

Deeper and wider ResNets, VGG trained with its dropout off, and a ResNet whose residual blocks start as the identity.
"""
import json, os, sys
import torch
import torchvision
import make_reference
from make_reference import fill, model_reference


def make_zero_init(arch, **kw):
    """Filled by the rule, but for the norm scales that `zero_init_residual` starts at zero: those stay zero."""
    model = getattr(torchvision.models, arch)(num_classes=10, **kw).double()
    zeros = [n for n, p in model.named_parameters() if p.dim() == 1 and n.endswith('.weight') and not p.any()]
    fill(model)
    with torch.no_grad():
        for name in zeros:
            model.get_parameter(name).zero_()
    return model


CASES = dict(
    resnet101=lambda: model_reference('resnet101', 64, 2, 1),
    resnext101_32x8d=lambda: model_reference('resnext101_32x8d', 64, 2, 1),
    wide_resnet50_2=lambda: model_reference('wide_resnet50_2', 64, 2, 1),
    vgg11_training=lambda: model_reference('vgg11', 32, 4, 2, dropout=0.0),
    vgg16_bn_training=lambda: model_reference('vgg16_bn', 64, 2, 1, dropout=0.0),
    resnet18_zero_init=lambda: zero_init_reference('resnet18'),
)


def zero_init_reference(arch):
    make_reference.make = make_zero_init
    return model_reference(arch, 32, 4, 3, zero_init_residual=True)


def main(out_dir, names):
    for name in names or CASES:
        value = CASES[name]()
        with open(os.path.join(out_dir, f'{name}.json'), 'w') as file:
            file.write(json.dumps(value, indent=1) + '\n')


if __name__ == '__main__':
    torch.set_num_threads(2)
    main(sys.argv[1], sys.argv[2:])
