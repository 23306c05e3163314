"""Do a step of training of a golden set, and note what comes out of every stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from golden_sets import TrainingStep
from mmdet.models.dense_heads import mask2former_head
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from parity_stages import HEAD_METHODS, ClassOrder, Stages, bgr, head_stages
from torch import Tensor

from mmodise.benchmark.recording import Call, recorded
from mmodise.models import ODISE


def training_stages(
    model: ODISE, step: TrainingStep, order: ClassOrder
) -> tuple[Stages, Stages, list]:
    """Do a step of training, up to the gradients, with the random numbers that were recorded.

    Returns:
        tuple: Stages as of :func:`inference_stages`; losses by mmdet's names, and 'total'; and the
        matching, for each prediction and image indices of queries and of masks, the predictions in
        the order of the golden sets, the last one first. Gradients stay in the parameters.
    """
    calls, points, losses = run_step(model, step, order, HEAD_METHODS)
    stages = head_stages(model, calls)
    last_first = _last_first(calls)
    texts = [call.output for call in calls['panoptic_head.text_proj.forward']]
    if step.words is None:
        stages['head.null_embed'], names = texts
        stages['head.text_embed'] = names[order.names]
        logits = order.columns(calls['panoptic_head.class_logits'][0].output)  # of all layers
        for i, layer in enumerate(last_first):
            stages[f'head.logits.call{i}'] = logits[layer]
    else:  # we embed the empty word, which stands in for the words of a caption, once
        shares = texts[0].split([max(len(words), 1) for words in step.words])
        stages['head.word_embed'] = torch.stack([
            share.expand(step.num_words, -1) for share in shares])
    for i, layer in enumerate(last_first):  # none are drawn where there are no masks
        stages[f'point_coords{i:02}'] = points[layer] if points else torch.zeros(
            0, model.panoptic_head.num_points, 2)
    return stages, losses, matching_of(calls, len(step.images))


def run_step(
    model: ODISE, step: TrainingStep, order: ClassOrder, methods: Sequence[str]
) -> tuple[dict[str, list[Call]], list[Tensor], Stages]:
    """Do a step of training with the random numbers that were recorded.

    Args:
        model (ODISE): The model; its gradients are those of the step afterwards.
        step (TrainingStep): The step.
        order (ClassOrder): Of the training classes.
        methods (Sequence[str]): What is recorded beside the matching.

    Returns:
        tuple: The calls by method; the points at which the losses of each prediction are taken;
        and the losses by mmdet's names, and 'total'.
    """
    samples = []
    for i, (image, masks, labels) in enumerate(
            zip(step.images, step.masks, step.labels, strict=True)):
        height, width = image.shape[1:]
        sample = DetDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(height, width)))
        sample.gt_instances = InstanceData(
            labels=torch.tensor([order.ours[label] for label in labels], dtype=torch.int64),
            masks=BitmapMasks(masks.astype(np.uint8), height, width))
        if step.words is not None:
            sample.set_metainfo(dict(words=step.words[i]))
        samples.append(sample)
    model.train()
    model.zero_grad()
    paths = (*methods, 'panoptic_head._get_targets_single')
    with _replayed(step.random, model.panoptic_head.transformer_decoder.num_layers + 1), \
            recorded(model, *paths) as calls, _recorded_points() as points:
        data = model.data_preprocessor(
            dict(inputs=[bgr(image) for image in step.images], data_samples=samples),
            training=True)
        losses = model.loss(data['inputs'], data['data_samples'])
        total, losses = model.parse_losses(losses)
        total.backward()
    return calls, points, {**losses, 'total': total}


def matching_of(calls: dict[str, list[Call]], batch: int) -> list:
    """Indices of queries and of masks for each prediction, the last one first, and image."""
    targets = [call.output for call in calls['panoptic_head._get_targets_single']]
    pairs = [(target[-1].pos_inds.tolist(), target[-1].pos_assigned_gt_inds.tolist())
             for target in targets]
    return [pairs[layer * batch : (layer + 1) * batch] for layer in _last_first(calls)]


def _last_first(calls: dict[str, list[Call]]) -> list[int]:
    """The predictions in the order of the golden sets."""
    count = len(calls['panoptic_head._forward_head'])
    return [count - 1, *range(count - 1)]


@contextmanager
def _replayed(random: list[np.ndarray], num_predictions: int) -> Iterator[None]:
    """Let ``torch.rand`` give recorded numbers.

    The official model draws for its last prediction first, mmdet for its first.
    """
    share = len(random) // num_predictions
    queue = [torch.from_numpy(values) for values in (*random[share:], *random[:share])
             if values.size]  # what mmdet need not draw: points of no mask

    def rand(*size, **_):
        expected = tuple(size[0]) if len(size) == 1 else size
        if 0 in expected:
            return torch.empty(expected)
        if not queue:
            raise ValueError(f'The golden set draws no more, we draw {expected}.')
        drawn = queue.pop(0)
        if tuple(drawn.shape) != expected:
            raise ValueError(f'The golden set drew {tuple(drawn.shape)}, we draw {expected}.')
        return drawn

    with mock.patch.object(torch, 'rand', rand):
        yield
    if queue:
        raise ValueError(f'The golden set drew {len(queue)} times more than we.')


@contextmanager
def _recorded_points() -> Iterator[list[Tensor]]:
    """Record the points at which the losses of each prediction are taken."""
    name = 'get_uncertain_point_coords_with_randomness'
    drawn, points = getattr(mask2former_head, name), []

    def record(*args, **kwargs):
        points.append(drawn(*args, **kwargs))
        return points[-1]

    with mock.patch.object(mask2former_head, name, record):
        yield points
