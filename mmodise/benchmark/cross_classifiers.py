"""What several classifiers give under one trained model, and what an image costs with each."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.runner import Runner
from torch import Tensor, nn

from ..evaluation import Weights, summarize, sweep_classifiers
from ..models import ODISE, MaskClassifier
from ..models.frozen import FrozenModule
from .flops import flop_counter
from .generator_costs import HeldBytes

#: Pixels of a side for which the small CLIPs of :class:`PooledCLIPClassifier` give enough cells.
CLIP_SIDE = 256
NONE = 'none'
_REPEATS = 5


class Classifier(NamedTuple):
    """A classifier that a trained model is tested with.

    Attributes:
        title: Of its lines.
        config: What is built.
        weights: Of the ensemble.
    """

    title: str
    config: dict
    weights: Weights


def evaluate_with(
    runner: Runner, classifiers: Mapping[str, Classifier], steps: int
) -> dict[str, dict]:
    """Test a model with classifiers that it was not trained with: none takes part in training.

    Args:
        runner (Runner): With the test data, the evaluator and the trained model.
        classifiers (Mapping[str, Classifier]): By name.
        steps (int): Each is also tested with alpha and beta at 0, 1 / steps ... 1; 0 for none.

    Returns:
        dict[str, dict]: By name, PQ, SQ and RQ as ``result``; the ``grid`` of alpha and beta; the
        ``cost`` of an image. And the cost of an image without a classifier, as 'none'.
    """
    model = runner.model
    data = model.data_preprocessor(next(iter(runner.test_dataloader)), training=False)
    image, sample = data['inputs'][:1], data['data_samples'][:1]
    own, costs, built = model.classifier, {}, {}
    for name, one in classifiers.items():
        built[name] = build(one.config, runner, sample[0].img_shape[0])
    for name, classifier in {NONE: None, **built}.items():
        model.classifier = classifier
        costs[name] = cost_of_image(model.eval(), image, sample)
    model.classifier = own
    shares = [step / steps for step in range(steps + 1)] if steps else []
    grid = [*itertools.product(shares, shares)]
    lines = {(name, weights): (built[name], weights)
             for name, one in classifiers.items()
             for weights in (one.weights, *(Weights(*pair, one.weights.trust) for pair in grid))}
    results = {line: summarize(figures.metrics)
               for line, figures in sweep_classifiers(runner, lines).items()}
    return {NONE: dict(cost=costs[NONE]), **{
        name: dict(
            weights=one.weights, result=results[name, one.weights], cost=costs[name],
            grid=[dict(alpha=alpha, beta=beta, **{group: values['PQ'] for group, values in results[
                name, Weights(alpha, beta, one.weights.trust)].items()}) for alpha, beta in grid])
        for name, one in classifiers.items()}}


def build(config: Mapping, runner: Runner, side: int) -> MaskClassifier:
    """Build a classifier for images of some size, which a pooling one may have to enlarge."""
    config = dict(config)
    if config['type'] == 'PooledCLIPClassifier':
        config['scale'] = CLIP_SIDE / side
    return connected(MODELS.build(config), runner.model)


def connected(classifier: MaskClassifier, model: ODISE) -> MaskClassifier:
    """A classifier, ready to be tested with a model that it was not built with."""
    classifier.connect(model.backbone, model.neck if model.with_neck else None)
    return classifier.to(next(model.parameters()).device).eval()


@torch.no_grad()
def cost_of_image(model: nn.Module, image: Tensor, sample: list) -> dict[str, float]:
    """Seconds (median), operations, the most bytes held beside the weights, and parameters."""
    predict = partial(model.predict, image, sample)
    predict()  # names are embedded, libraries are warm
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - start)
    tensors = _weights(model)
    with flop_counter() as operations, HeldBytes(tensors) as held:
        predict()
    return dict(
        seconds=round(statistics.median(seconds), 4),
        gflops=round(operations.get_total_flops() / 1e9, 4),
        megabytes=round(held.most / 1e6, 2),
        parameters=sum(t.numel() for t in tensors if isinstance(t, nn.Parameter)))


def _weights(model: nn.Module) -> list[Tensor]:
    """Of the model and the frozen networks in it, each once."""
    frozen = [network for part in model.modules() if isinstance(part, FrozenModule)
              for network in part.frozen_modules()]
    return [*{id(tensor): tensor for network in (model, *frozen)
              for tensor in (*network.parameters(), *network.buffers())}.values()]
