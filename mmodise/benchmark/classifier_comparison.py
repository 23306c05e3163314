"""One trained model with several mask classifiers, and what each gives."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.runner import Runner
from torch.utils.flop_counter import FlopCounterMode

from ..checkpoints import load_fitting, load_from_local
from ..engine import load_config
from ..evaluation import Figures, Weights, sweep_classifiers
from ..evaluation.ensemble_sweep import observe_masks
from ..models import MaskClassifier
from ..models.classifiers.tuned_clip_classifier import TRUE_MASK_LOGIT
from ..models.heads import true_masks
from ..utils.paths import configs_folder
from .classifier_lines import Line
from .cross_classifiers import connected
from .vocabularies import load

TUNED_CONFIG = configs_folder() / 'classifiers/odise_sd-small-tuned-clip_shapes-panoptic.py'
#: Name of the figure of a class that :func:`name_true_masks` gives.
ACCURACY = 'true masks'
_ALPHAS, _BETAS, _TRUSTS = (0.3, 0.4, 0.5, 0.7), (0.5, 0.6, 0.7, 0.9), (0.0, 0.5)


def load_model(config: Path | str, checkpoint: str) -> Runner:
    """A runner with the model, which is evaluated by PQ, AP and mIoU."""
    runner = load(config, checkpoint)
    panoptic = runner.cfg.test_evaluator
    truth = {key: panoptic[key] for key in ('ann_file', 'seg_prefix')}
    runner.cfg.test_evaluator = [
        panoptic, dict(type='OpenVocabularyInstanceMetric', classwise=True, **truth),
        dict(type='OpenVocabularySemanticMetric', **truth)]
    return runner


def build_classifiers(
    runner: Runner, lines: Mapping[str, Line], tuned: str | None = None
) -> dict[str, MaskClassifier]:
    """The classifier of each line; those of equal settings are one.

    Args:
        runner (Runner): With the model, whose classifier's config the settings are added to.
        lines (Mapping[str, Line]): By name.
        tuned (str, optional): The checkpoint of a training with :data:`TUNED_CONFIG`.
    """
    built, classifiers = {}, {}
    for name, line in lines.items():
        key = line.is_tuned, repr(line.settings or {})
        if key not in built:
            classifier = load_tuned(tuned) if line.is_tuned else MODELS.build(
                {**runner.cfg.model.classifier, **(line.settings or {})})
            built[key] = connected(classifier, runner.model)
        classifiers[name] = built[key]
    return classifiers


def load_tuned(checkpoint: str) -> MaskClassifier:
    """The classifier of a checkpoint that :data:`TUNED_CONFIG` has trained."""
    classifier = MODELS.build(load_config(TUNED_CONFIG).model.classifier)
    weights = load_from_local(checkpoint, map_location='cpu')['state_dict']
    load_fitting(classifier, {
        name.removeprefix('classifier.'): value for name, value in weights.items()
        if name.startswith('classifier.')}).check_complete(checkpoint)
    return classifier


def evaluate(
    runner: Runner, lines: Mapping[str, Line], classifiers: Mapping[str, MaskClassifier]
) -> dict[str, Figures]:
    """Evaluate the lines, with the model's own alpha and beta; :data:`ACCURACY` on true masks."""
    ensemble = runner.model.ensemble
    own, head_alone = Weights(ensemble.alpha, ensemble.beta), Weights(0, 0)
    figures = sweep_classifiers(runner, {
        name: (classifiers[name],
               head_alone if line.settings is None else own._replace(trust=line.trust))
        for name, line in lines.items()})
    named = name_true_masks(runner, {
        name: classifiers[name] for name, line in lines.items() if line.settings is not None})
    for name, accuracies in named.items():
        for class_name, accuracy in accuracies.items():
            figures[name].per_class.setdefault(class_name, {})[ACCURACY] = accuracy
    return figures


def sweep_weights(
    runner: Runner, classifiers: Mapping[str, MaskClassifier]
) -> dict[str, dict[Weights, Figures]]:
    """Evaluate PQ of classifiers with many weights of the ensemble."""
    evaluator, test_cfg = runner.cfg.test_evaluator, runner.model.panoptic_fusion_head.test_cfg
    before = dict(test_cfg)
    runner.cfg.test_evaluator = evaluator[0]
    test_cfg.update(instance_on=False, semantic_on=False)
    grid = [Weights(*one) for one in itertools.product(_ALPHAS, _BETAS, _TRUSTS)]
    figures = sweep_classifiers(runner, {
        (name, weights): (classifier, weights)
        for name, classifier in classifiers.items() for weights in grid})
    runner.cfg.test_evaluator = evaluator
    test_cfg.update(before)
    return {name: {weights: figures[name, weights] for weights in grid} for name in classifiers}


@torch.no_grad()
def name_true_masks(
    runner: Runner, classifiers: Mapping[str, MaskClassifier]
) -> dict[str, dict[str, float]]:
    """Percent of the true masks of each class that each classifier alone names right."""
    model, hits = runner.model, {name: defaultdict(list) for name in classifiers}
    classes = runner.test_dataloader.dataset.metainfo['classes']
    for batch in runner.test_dataloader:
        data = model.data_preprocessor(batch, training=False)
        images, samples = data['inputs'], data['data_samples']
        vocabularies = [*map(model.vocabulary_of, samples)]
        features = model.extract_feat(images, samples)
        truths = true_masks(samples, vocabularies[0])
        masks = [TRUE_MASK_LOGIT * (2 * truth.masks.float() - 1) for truth in truths]
        for name, classifier in classifiers.items():
            scores = classifier(images, features, masks, samples, vocabularies)
            for found, truth in zip(scores, truths, strict=True):
                right = found.logits.argmax(dim=1) == truth.labels
                for label, hit in zip(truth.labels.tolist(), right.tolist(), strict=True):
                    hits[name][classes[label]].append(hit)
    return {name: {c: 100 * statistics.fmean(values) for c, values in of_classes.items()}
            for name, of_classes in hits.items()}


@torch.no_grad()
def count_operations(
    runner: Runner, classifiers: Mapping[str, MaskClassifier]
) -> dict[str, float]:
    """GFLOPs that each classifier takes to embed the masks of a picture."""
    model = runner.model
    data = model.data_preprocessor(next(iter(runner.test_dataloader)), training=False)
    images, samples = data['inputs'], data['data_samples']
    observation = observe_masks(model, images, samples)
    operations = {}
    for classifier in set(classifiers.values()):
        with FlopCounterMode(display=False) as counter:
            classifier.embed(
                images, observation.inputs[1], observation.found.masks, samples)
        operations[classifier] = counter.get_total_flops() / len(images) / 1e9
    return {name: operations[classifier] for name, classifier in classifiers.items()}


def mean_of(figures: Figures, key: str, classes: Iterable[str]) -> float | None:
    """Mean of a figure over those of some classes that have one; None if none has."""
    values = [figures.per_class[name][key] for name in classes
              if key in figures.per_class.get(name, {})]
    return statistics.fmean(values) if values else None
