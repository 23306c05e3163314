"""Parts of the models that are trained in several processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import torch
from mmdet.models.layers import SinePositionalEncoding
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures.mask import BitmapMasks
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmodise.models import ODISE


@MODELS.register_module()
class DoubleODISE(ODISE):
    """ODISE in float64.

    In float32 a batch's numbers depend on its size in the last digit. Where a ReLU's input is that
    close to 0 gradients jump, by percents of small tensors, for reasons that no test is about.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        super().init_weights()
        self.double()
        for module in self.modules():
            if isinstance(module, SinePositionalEncoding):
                module.register_forward_hook(lambda module, args, out: out.double())

    def init_weights(self):
        """Keep what is there: mmcv would set some weights to float32."""

    def forward(self, inputs, *args, **kwargs):
        return super().forward(inputs.double(), *args, **kwargs)


@TRANSFORMS.register_module()
class Annotate:
    """Words that are always the same, and images without masks or without words, by their ids."""

    def __init__(self, no_masks, no_words):
        self.no_masks, self.no_words = no_masks, no_words

    def __call__(self, results):
        words = results['captions'][0].split()  # as many as there are
        results['words'] = () if results['img_id'] in self.no_words else tuple(words)
        if results['img_id'] in self.no_masks:
            size = results['img_shape']
            for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
                results[key] = results[key][:0]
            results.update(
                has_masks=False, gt_masks=BitmapMasks([], *size), gt_seg_map=np.full(size, 255))
        return results


@HOOKS.register_module()
class SamePoints(Hook):
    """Random points that are the same for each image and each mask, whatever was drawn before."""

    def before_train(self, runner):
        def rand(*size, draw=torch.rand, **kwargs):
            size = torch.Size(size[0] if len(size) == 1 else size)
            points = draw(size[-2:], generator=torch.Generator().manual_seed(0))
            return points.expand(size).contiguous()

        torch.rand = rand


@HOOKS.register_module()
class Witness(Hook):
    """Writes down the samples and losses of each iteration and rank, in ``WORK_DIR/RANK.pth``."""

    def before_train(self, runner):
        self.seen = {}

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        samples = [
            (sample.img_id, sample.get('flip'), sample.get('words'))
            for sample in data_batch['data_samples']]
        losses = {name: float(value) for name, value in outputs.items()}
        self.seen[runner.iter + 1] = dict(samples=samples, losses=losses)
        torch.save(self.seen, Path(runner.work_dir, f'{runner.rank}.pth'))


@HOOKS.register_module()
class Kill(Hook):
    """SIGKILL for all processes; the one that writes the checkpoint is half-way through."""

    priority = 'NORMAL'  # before checkpoints are written

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, **kwargs):
        if runner.iter + 1 < self.iteration:
            return
        if runner.rank > 0:
            os.kill(os.getpid(), signal.SIGKILL)

        def fsync(file):
            os.ftruncate(file, os.fstat(file).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = fsync


@HOOKS.register_module()
class BadSample(Hook):
    """One process meets a bad sample; the others go on to the exchange of gradients, or wait.

    gloo tells them when the process is gone. NCCL does not: ``stuck`` stands for that.
    """

    def __init__(self, rank, stuck):
        self.rank, self.stuck = rank, stuck

    def before_train_iter(self, runner, **kwargs):
        if runner.iter == 1:
            if runner.rank == self.rank:
                raise ValueError('000007.png has no segment')
            if self.stuck:
                time.sleep(600)
                raise AssertionError('left waiting')
