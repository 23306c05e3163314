"""One pass over the test set for many classifiers and weights of the geometric ensemble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from mmdet.structures import SampleList
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch import Tensor
from tqdm import tqdm

from ..models import ODISE, MaskClassifier, Observation
from .class_figures import with_novel_classes


class Weights(NamedTuple):
    """Of a :class:`GeometricEnsemble`; alpha and beta of 0 are the in-vocabulary score alone.

    ``alpha`` and ``beta`` are shares of the out-of-vocabulary score for classes that were seen in
    training and for others, ``trust`` how far it lowers the probability of "no object".
    """

    alpha: float
    beta: float
    trust: float = 0.0


class Figures(NamedTuple):
    """What an evaluation finds.

    ``metrics`` are those of the evaluator, ``per_class`` what its metrics note of each class, by
    its name: PQ, SQ and RQ, AP with ``classwise``, IoU and so on.
    """

    metrics: dict[str, float]
    per_class: dict[str, dict[str, float]]


def sweep_ensemble(
    runner: Runner, weights: Iterable[tuple[float, ...]]
) -> dict[tuple[float, ...], dict[str, float]]:
    """Evaluate an :class:`ODISE` with several weights of its :class:`GeometricEnsemble`.

    The networks run once per image; only what the weights decide is done for each of them.

    Args:
        runner (Runner): With the test data, the evaluator and the trained model.
        weights (Iterable[tuple[float, ...]]): As :class:`Weights`: alpha, beta, and trust unless it
            is 0.

    Returns:
        dict[tuple[float, ...], dict[str, float]]: The metrics of each of them.

    Raises:
        ValueError: If the model has no classifier.
    """
    if runner.model.classifier is None:
        raise ValueError('sweep_ensemble: model.classifier is None; give it a CLIPClassifier')
    lines = {one: (runner.model.classifier, Weights(*one)) for one in weights}
    return {one: figures.metrics for one, figures in sweep_classifiers(runner, lines).items()}


@torch.no_grad()
def sweep_classifiers(
    runner: Runner, lines: Mapping[object, tuple[MaskClassifier, Weights]]
) -> dict[object, Figures]:
    """Evaluate an :class:`ODISE` with several classifiers and weights of its ensemble.

    Backbone and mask source run once per image, each classifier once per image.

    Args:
        runner (Runner): With the test data, the evaluator and the trained model, whose ``ensemble``
            is a :class:`GeometricEnsemble`.
        lines (Mapping[object, tuple[MaskClassifier, Weights]]): What is evaluated, by any key.
            Classifiers that are not the model's own are connected to its backbone (see
            :meth:`MaskClassifier.connect`), on its device, and have their weights already.

    Returns:
        dict[object, Figures]: Those of each line.
    """
    model, loader = runner.model, runner.test_dataloader
    runner.load_or_resume()
    model.eval()
    evaluators = {key: runner.build_evaluator(runner.cfg.test_evaluator) for key in lines}
    for evaluator in evaluators.values():
        evaluator.dataset_meta = with_novel_classes(loader.dataset.metainfo, model)
    configured = model.classifier, Weights(*(getattr(model.ensemble, n) for n in Weights._fields))
    for batch in tqdm(loader, unit='batch', disable=None):
        data = model.data_preprocessor(batch, training=False)
        samples = data['data_samples']
        vocabularies = [*map(model.vocabulary_of, samples)]
        model.panoptic_fusion_head.check_size(vocabularies)
        observation, scores = observe_masks(model, data['inputs'], samples), {}
        for key, (classifier, weights) in lines.items():
            _use(model, classifier, weights)
            if classifier not in scores:
                scores[classifier] = model.score(observation, samples, vocabularies)
            evaluators[key].process(model.make_results(scores[classifier], samples), batch)
    _use(model, *configured)
    return {key: _figures(evaluator, len(loader.dataset))
            for key, evaluator in evaluators.items()}


def _figures(evaluator: Evaluator, size: int) -> Figures:
    metrics, per_class = evaluator.evaluate(size), {}
    for metric in evaluator.metrics:
        for name, figures in getattr(metric, 'per_class', {}).items():
            per_class.setdefault(name, {}).update(figures)
    return Figures(metrics, per_class)


def observe_masks(model: ODISE, images: Tensor, samples: SampleList) -> Observation:
    """What the model knows before names and before any classifier."""
    features, head = model.extract_feat(images, samples), model.panoptic_head
    found = head.find(features, samples) if head.finds_without_names else None
    return Observation(found, None, (images, features))


def _use(model: ODISE, classifier: MaskClassifier, weights: Weights) -> None:
    model.classifier = classifier
    for name, value in weights._asdict().items():
        setattr(model.ensemble, name, value)
