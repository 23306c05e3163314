"""Random numbers that a resumed training draws again."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Makes random numbers depend on the seed, the rank and the iteration, and on nothing before.

    mmengine's checkpoints do not hold the state of random generators, so what is drawn after
    resuming would differ from what an uninterrupted training would have drawn: the points of the
    mask losses, and flips, crops and words where the data is loaded without workers. Workers have
    generators of their own, which start anew: with them the same images come in the same order,
    augmented differently.

    With this hook the ranks also draw different numbers; mmengine gives all of them one seed.
    """

    def before_train(self, runner: Runner) -> None:
        """Seed what the data of the first iteration is made with."""
        _seed(runner, runner.iter)

    def before_train_iter(self, runner: Runner, **kwargs) -> None:
        """Seed again: loading may draw more after resuming, when it starts."""
        _seed(runner, runner.iter)

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Seed what the data of the next iteration is made with."""
        _seed(runner, runner.iter + 1)


def _seed(runner: Runner, iteration: int) -> None:
    seed, = np.random.SeedSequence((runner.seed, runner.rank, iteration)).generate_state(1)
    random.seed(int(seed))
    np.random.seed(seed)
    torch.manual_seed(int(seed))
