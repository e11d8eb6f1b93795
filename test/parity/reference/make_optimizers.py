"""Writes optimizers-more.json: trajectories of optimisers, clipping, accumulation and weight averages, in double precision.

    python3 make_optimizers.py OUT_DIR

Optimisers by PyTorch's own classes and rules, by the rule of make_reference.py: two parameters ("weight" and "bias") of
w0 = draw(name, n), gradients draw(f'{name}.gradient{step}', n), rate x0.1 from step 11 on. LARS, which PyTorch lacks, is
written out below.
"""
import json, os, sys
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from make_reference import draw

SIZES = dict(weight=6, bias=3)
SHOWN = (1, 2, 5, 10, 11, 20)


class Lars(torch.optim.Optimizer):
    """You, Gitman & Ginsburg 2017 (arXiv:1708.03888), as Lightning Flash writes it: PyTorch's SGD, whose decayed gradient
    is scaled by trust ||w|| / (||g|| + decay ||w|| + eps) where both norms are positive. Parameters of a group with
    adapt=False are moved by plain SGD."""

    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0, trust_coefficient=0.001, eps=1e-8, adapt=True):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay,
                                      trust_coefficient=trust_coefficient, eps=eps, adapt=adapt))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            decay = group['weight_decay']
            for p in group['params']:
                d_p = p.grad
                p_norm, g_norm = torch.norm(p), torch.norm(p.grad)
                if not group['adapt']:
                    d_p = d_p.add(p, alpha=decay)
                elif p_norm != 0 and g_norm != 0:
                    d_p = d_p.add(p, alpha=decay) * (group['trust_coefficient'] * p_norm
                                                     / (g_norm + p_norm * decay + group['eps']))
                if group['momentum'] != 0:
                    state = self.state[p]
                    if 'momentum_buffer' not in state:
                        state['momentum_buffer'] = d_p.clone()
                    else:
                        state['momentum_buffer'].mul_(group['momentum']).add_(d_p)
                    d_p = state['momentum_buffer']
                p.add_(d_p, alpha=-group['lr'])


def parameters():
    return {name: torch.nn.Parameter(torch.from_numpy(draw(name, n))) for name, n in SIZES.items()}


def set_gradients(params, key):
    for name, p in params.items():
        p.grad = torch.from_numpy(draw(f'{name}.gradient{key}', SIZES[name]))


def trajectory(make, prepare=set_gradients, after=lambda params, step: None, steps=20):
    params = parameters()
    opt = make(params)
    rows = {}
    for step in range(1, steps + 1):
        if step == 11:
            for group in opt.param_groups:
                group['lr'] *= 0.1
        prepare(params, step)
        opt.step()
        after(params, step)
        if step in SHOWN:
            rows[step] = {name: p.detach().tolist() for name, p in params.items()}
    return rows


def plain(kind, **kw):
    return trajectory(lambda params: kind(params.values(), **kw))


def lars(excluded_decay=0.0, **kw):
    return trajectory(lambda params: Lars([
        dict(params=[params['weight']]),
        dict(params=[params['bias']], adapt=False, weight_decay=excluded_decay)], **kw))


def lars_zero():
    """A weight that starts at zero, and a step whose gradient is zero."""
    def prepare(params, step):
        set_gradients(params, step)
        if step == 2:
            params['weight'].grad.zero_()
    def make(params):
        with torch.no_grad():
            params['weight'].zero_()
        return Lars([dict(params=[params['weight']]), dict(params=[params['bias']], adapt=False, weight_decay=0.0)],
                    lr=0.1, momentum=0.9, weight_decay=0.01)
    return trajectory(make, prepare)


def clipped(clip, scale=1.0):
    norms = []
    def prepare(params, step):
        set_gradients(params, step)
        norms.append(clip(list(params.values())))
    rows = trajectory(lambda params: torch.optim.SGD(params.values(), lr=0.1, momentum=0.9), prepare)
    return rows, norms


def clip_norm(max_norm):
    rows, norms = clipped(lambda ps: torch.nn.utils.clip_grad_norm_(ps, max_norm, error_if_nonfinite=True).item())
    return dict(norms_before=norms, parameters_after=rows)


def clip_value(value):
    rows, _ = clipped(lambda ps: torch.nn.utils.clip_grad_value_(ps, value))
    return dict(parameters_after=rows)


def accumulated(batches, every, max_norm=None):
    """Minibatch b (from 1) has the gradient draw(f'{name}.gradient{b}'); each step takes the mean of up to `every`."""
    params = parameters()
    opt = torch.optim.SGD(params.values(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    rows, b = {}, 0
    while b < batches:
        count = min(every, batches - b)
        opt.zero_grad()
        for _ in range(count):
            b += 1
            for name, p in params.items():
                g = torch.from_numpy(draw(f'{name}.gradient{b}', SIZES[name])) / count
                p.grad = g if p.grad is None else p.grad + g
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(params.values(), max_norm)
        opt.step()
        rows[b] = {name: p.detach().tolist() for name, p in params.items()}
    return dict(batches=batches, every=every, max_norm=max_norm, parameters_after_batch=rows)


class Holder(torch.nn.Module):
    """The two parameters, and a buffer that is set to draw(f'buffer{step}', 2) after each step."""

    def __init__(self, params):
        super().__init__()
        self.weight, self.bias = params['weight'], params['bias']
        self.register_buffer('buffer', torch.from_numpy(draw('buffer', 2)))


def averaged(decay, use_buffers, start):
    """AveragedModel, updated after each optimiser step behind the first `start` ones."""
    params = parameters()
    model = Holder(params)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=use_buffers)
    opt = torch.optim.SGD(params.values(), lr=0.1, momentum=0.9)
    rows = {}
    for step in range(1, 13):
        set_gradients(params, step)
        opt.step()
        model.buffer.copy_(torch.from_numpy(draw(f'buffer{step}', 2)))
        if step > start:
            average.update_parameters(model)
            rows[step] = {name: value.tolist() for name, value in average.module.state_dict().items()}
    return dict(decay=decay, use_buffers=use_buffers, start=start, averages_after=rows)


def main(out_dir):
    S, R = torch.optim.SGD, torch.optim.RMSprop
    out = dict(
        trajectories=dict(
            sgd_dampening=plain(S, lr=0.1, momentum=0.9, dampening=0.3),
            sgd_dampening_decay=plain(S, lr=0.1, momentum=0.9, dampening=0.5, weight_decay=5e-2),
            sgd_dampening_without_momentum=plain(S, lr=0.1, dampening=0.5),
            rmsprop=plain(R, lr=0.01),
            rmsprop_decay=plain(R, lr=0.01, alpha=0.9, weight_decay=0.1),
            rmsprop_momentum=plain(R, lr=0.01, momentum=0.9),
            rmsprop_centered=plain(R, lr=0.01, alpha=0.95, eps=1e-3, centered=True),
            rmsprop_all=plain(R, lr=0.01, alpha=0.9, eps=1e-4, momentum=0.8, centered=True, weight_decay=0.05),
            lars=lars(lr=0.1),
            lars_momentum_decay=lars(lr=0.5, momentum=0.9, weight_decay=5e-2, trust_coefficient=0.02, eps=1e-6),
            lars_decay_on_all=lars(excluded_decay=5e-2, lr=0.5, momentum=0.9, weight_decay=5e-2),
            lars_zero_norms=lars_zero(),
        ),
        clip_norm={str(n): clip_norm(n) for n in (0.5, 1.5, 100.0)},
        clip_value={str(v): clip_value(v) for v in (0.3,)},
        accumulated=[accumulated(8, 4), accumulated(7, 3), accumulated(7, 3, 0.4)],
        averaged=[averaged(0.9, False, 0), averaged(0.9, True, 0), averaged(0.99, False, 4)],
    )
    with open(os.path.join(out_dir, 'optimizers-more.json'), 'w') as file:
        file.write(json.dumps(out) + '\n')


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
