"""Writes schedules-per-step.json and losses.json: what make_reference.py leaves out of schedules, and soft targets.

    python3 make_schedules.py OUT_DIR

Rates and momenta are those that the optimiser has at each step; `scheduler.step()` follows each optimiser step, or, in
the cases named per epoch, each `STEPS_PER_EPOCH`-th. Made with torch 2.15.
"""
import json, os, sys
import torch
from make_reference import draw

EPOCHS, STEPS_PER_EPOCH = 6, 7
L = torch.optim.lr_scheduler


def run(make, optimizer='sgd', per_epoch=False):
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    if optimizer == 'sgd':
        opt = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    else:
        opt = torch.optim.Adam(parameters, lr=0.1, betas=(0.9, 0.999))
    schedule = make(opt)
    rates, momenta = [], []
    for step in range(1, EPOCHS * STEPS_PER_EPOCH + 1):
        group = opt.param_groups[0]
        rates.append(group['lr'])
        momenta.append(group['momentum'] if optimizer == 'sgd' else group['betas'][0])
        opt.step()
        if step < EPOCHS * STEPS_PER_EPOCH and (not per_epoch or step % STEPS_PER_EPOCH == 0):
            schedule.step()
    return dict(rates=rates, momenta=momenta)


def one_cycle(**settings):
    return lambda opt: L.OneCycleLR(opt, max_lr=0.1, epochs=EPOCHS, steps_per_epoch=STEPS_PER_EPOCH, **settings)


def warmed(steps, start, make):
    return lambda opt: L.SequentialLR(opt, [L.LinearLR(opt, start, 1.0, steps), make(opt)], [steps])


def warmed_per_step(steps, start, make, first_epoch):
    """A warm-up per step before a schedule per epoch, as in two hands: each sets the rate in its own time."""
    class Both:
        def __init__(self, opt):
            self.opt, self.count, self.make = opt, 0, make
            self.warm = L.LinearLR(opt, start, 1.0, steps)

        def step(self):
            self.count += 1
            if self.count < steps:
                self.warm.step()
            elif self.count == steps:
                self.opt.param_groups[0]['lr'] = self.opt.param_groups[0]['initial_lr']
                self.proper = self.make(self.opt)
            if self.count > steps and self.count % STEPS_PER_EPOCH == 0:
                self.proper.step()
    return Both


def schedules():
    total = EPOCHS * STEPS_PER_EPOCH
    return dict(
        epochs=EPOCHS,
        stepsPerEpoch=STEPS_PER_EPOCH,
        cases=dict(
            one_cycle=run(one_cycle()),
            one_cycle_linear=run(one_cycle(anneal_strategy='linear', pct_start=0.4, div_factor=10, final_div_factor=100)),
            one_cycle_momenta=run(one_cycle(base_momentum=0.8, max_momentum=0.9, pct_start=0.25)),
            one_cycle_own_momentum=run(one_cycle(cycle_momentum=False)),
            one_cycle_falling_only=run(one_cycle(pct_start=0.0)),
            one_cycle_adam=run(one_cycle(), 'adam'),
            step=run(lambda o: L.StepLR(o, 10, 0.5)),
            multistep=run(lambda o: L.MultiStepLR(o, [5, 18, 18], 0.5)),
            cosine=run(lambda o: L.CosineAnnealingLR(o, total)),
            cosine_two_epochs=run(lambda o: L.CosineAnnealingLR(o, 2 * STEPS_PER_EPOCH, eta_min=1e-3)),
            warmup_cosine=run(warmed(10, 0.1, lambda o: L.CosineAnnealingLR(o, total - 10))),
            warmup_step=run(warmed(4, 0.2, lambda o: L.StepLR(o, 6, 0.5))),
            warmup_step_per_epoch=run(warmed_per_step(10, 0.1, lambda o: L.StepLR(o, 2, 0.5), 1)),
            warmup_whole_epochs_cosine_per_epoch=run(
                warmed_per_step(2 * STEPS_PER_EPOCH, 0.1, lambda o: L.CosineAnnealingLR(o, EPOCHS - 2), 2)),
        ),
    )


def losses():
    n, classes = 5, 4
    labels, partners = torch.tensor([0, 3, 1, 1, 2]), torch.tensor([2, 0, 1, 4, 3])
    logits = torch.from_numpy(draw('logits', n * classes)).reshape(n, classes) * 3

    def case(targets, **settings):
        x = logits.clone().requires_grad_()
        loss = torch.nn.CrossEntropyLoss(**settings)(x, targets)
        loss.backward()
        return dict(loss=loss.item(), gradient=x.grad.flatten().tolist())

    onehot = torch.nn.functional.one_hot(labels, classes).double()
    mixed = 0.7 * onehot + 0.3 * onehot[partners]
    smooth = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    x = logits.clone().requires_grad_()
    two = 0.7 * smooth(x, labels) + 0.3 * smooth(x, labels[partners])
    two.backward()
    return dict(
        shape=[n, classes], labels=labels.tolist(), partners=partners.tolist(), share=0.7, logits=logits.flatten().tolist(),
        cases=dict(
            plain=case(labels),
            smoothed=case(labels, label_smoothing=0.1),
            mixed=case(mixed),
            mixed_smoothed=dict(loss=two.item(), gradient=x.grad.flatten().tolist()),
        ),
    )


if __name__ == '__main__':
    for name, value in (('schedules-per-step', schedules()), ('losses', losses())):
        with open(os.path.join(sys.argv[1], f'{name}.json'), 'w') as file:
            file.write(json.dumps(value, indent=1) + '\n')
