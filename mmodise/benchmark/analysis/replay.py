"""A test again, of predictions that are there: its figures picture by picture, and its mistakes."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.runner import Runner
from panopticapi.evaluation import PQStat
from tqdm import tqdm

from ...evaluation import (
    CheckedPanopticMetric,
    ClassFigures,
    NameConfusion,
    OpenVocabularySemanticMetric,
)
from ...evaluation.own_vocabulary import ORACLE
from .evaluated_sets import EvaluatedSet
from .saved_predictions import SavedPredictions


class PictureFigures(NamedTuple):
    """What a picture's prediction is worth.

    Args:
        place (int): Of the picture in the data set.
        path (str): The picture.
        figures (dict[str, float]): ``PQ``, ``right``, ``wrong`` and ``missed`` of panoptic results;
            ``mIoU`` of semantic ones. See :func:`panoptic_figures` and :func:`semantic_figures`.
    """

    place: int
    path: str
    figures: dict[str, float]


class Replay:
    """Gives saved predictions to the metrics of a test, one picture at a time.

    Metrics of instances are left out: saved predictions have none.

    Args:
        evaluated (EvaluatedSet): The data set and its metrics.
        folder (Path): The predictions.
        skip_missing (bool): Whether pictures without a prediction are left out; otherwise they are
            an error. Defaults to False.

    Raises:
        FileNotFoundError: If there are no predictions, or not of all pictures.
        ValueError: If they are of another vocabulary, or no metric can be computed.
    """

    def __init__(self, evaluated: EvaluatedSet, folder: Path, skip_missing: bool = False) -> None:
        loader = copy.deepcopy(evaluated.loader)
        self.dataset = Runner.build_dataloader(dict(loader)).dataset
        self.predictions = SavedPredictions(folder, self.dataset.metainfo)
        self.metainfo = dict(self.dataset.metainfo)
        if self.predictions.novel_classes is not None:
            self.metainfo['novel_classes'] = self.predictions.novel_classes
        missing = self._missing(skip_missing)
        self.loader = Runner.build_dataloader(dict(
            loader, dataset=self.dataset, batch_sampler=None,
            sampler=dict(type='mmdet.PendingSampler', done=missing)))
        self.metrics = list(_build_metrics(
            evaluated.complete_metrics(self.dataset), self.metainfo))
        if not self.metrics:
            raise ValueError(f'{evaluated.name}: none of its metrics is one of panoptic or '
                             'semantic results, which are what is saved.')
        #: What figures are called besides: 'oracle', if the vocabularies of the pictures were.
        self.kind = ''
        self.confusion = NameConfusion(self.metainfo['classes'])
        self.pictures: list[PictureFigures] = []

    @property
    def panoptic(self) -> CheckedPanopticMetric | None:
        """The metric of panoptic results, if there is one."""
        return next((metric for metric in self.metrics
                     if isinstance(metric, CheckedPanopticMetric)), None)

    @property
    def semantic(self) -> OpenVocabularySemanticMetric | None:
        """The metric of semantic results, if there is one."""
        return next((metric for metric in self.metrics
                     if isinstance(metric, OpenVocabularySemanticMetric)), None)

    def _missing(self, skip_missing: bool) -> list[int]:
        paths = [self.dataset.get_data_info(place)['img_path']
                 for place in range(len(self.dataset))]
        missing = [place for place, path in enumerate(paths) if not self.predictions.has(path)]
        if len(missing) == len(paths) or (missing and not skip_missing):
            raise FileNotFoundError(
                f'{self.predictions.folder} lacks predictions of {len(missing)} of {len(paths)} '
                f'pictures, such as {paths[missing[0]]}. Are they of another data set, or of a '
                'test with other --cfg-options? With --skip-missing those that are there are '
                'looked at.')
        if missing:
            print_log(f'{len(missing)} of {len(paths)} pictures have no prediction, such as '
                      f'{paths[missing[0]]}, and are left out.', 'current', logging.WARNING)
        return missing

    def run(self) -> dict[str, float]:
        """Look at all pictures; afterwards ``pictures`` and ``confusion`` are complete.

        Returns:
            dict[str, float]: The figures of the test.
        """
        places = iter(self.loader.sampler.places)
        with tqdm(total=len(self.loader.sampler), unit='picture') as bar:
            for batch in self.loader:
                for sample in batch['data_samples']:
                    self._add(next(places), self._with_prediction(sample))
                    bar.update()
        figures = {}
        for metric in self.metrics:
            found = metric.compute_metrics(metric.results)
            figures.update({f'{metric.prefix}/{key}': value for key, value in found.items()})
        self.kind = 'oracle' if any(f'/{ORACLE}' in key for key in figures) else ''
        return figures

    def called(self, key: str) -> str:
        """What a figure of this test is called: with 'oracle' before it, if it is one."""
        return f'{self.kind} {key}'.lstrip()

    def read(self, place: int) -> dict:
        """The sample of a picture, as the metrics get it, with the saved prediction."""
        return self._with_prediction(self.dataset[place]['data_samples'])

    def classes(self) -> ClassFigures:
        """Figures of each class, of what :meth:`run` has found."""
        return ClassFigures.of(self.metrics, self.metainfo)

    def _with_prediction(self, sample) -> dict:
        data = sample.to_dict()
        return {**data, **self.predictions.read(data)}

    def _add(self, place: int, sample: dict) -> None:
        figures = {}
        for metric in self.metrics:
            metric.process({}, [sample])
            if isinstance(metric, CheckedPanopticMetric):
                figures |= panoptic_figures(metric.results[-1][0])
            else:
                figures |= semantic_figures(metric.results[-1])
        self.pictures.append(PictureFigures(place, sample['img_path'], figures))
        self._confuse(sample)

    def _confuse(self, sample: dict) -> None:
        if self.panoptic is not None:
            truth = self.panoptic.read_truth(sample)
            if truth is not None:
                self.confusion.add_segments(truth, self.panoptic.read_prediction(sample))
        else:
            predicted = sample['pred_sem_seg']['sem_seg'][0].numpy()
            truth = self.semantic.read_labels(sample, predicted.shape).numpy()
            self.confusion.add_labels(truth, predicted)


def panoptic_figures(stats: PQStat | None) -> dict[str, float]:
    """Panoptic quality of a picture, over its own segments, whatever their classes.

    It is the sum of the overlaps of those that are found under their names, over their number plus
    half of that of the segments that are wrong and of those that are missed, in percent: the
    picture's segments count alike. A mean over classes would let one small segment count as much as
    all others of a picture together.

    Args:
        stats (PQStat, optional): Of the picture. None, and empty ones, have no figures.

    Returns:
        dict[str, float]: ``PQ``, ``right``, ``wrong``, ``missed``.
    """
    counts = list(stats.pq_per_cat.values()) if stats is not None else []
    right, wrong, missed = (sum(getattr(count, key) for count in counts)
                            for key in ('tp', 'fp', 'fn'))
    if not right + wrong + missed:
        return {}
    overlap = sum(count.iou for count in counts)
    quality = 100 * float(overlap) / (right + 0.5 * wrong + 0.5 * missed)
    return dict(PQ=quality, right=right, wrong=wrong, missed=missed)


def semantic_figures(result: Mapping) -> dict[str, float]:
    """Mean overlap of a picture's pixels of a class, over the classes of its truth, in percent.

    Args:
        result (Mapping): What :class:`OpenVocabularySemanticMetric` has stored of the picture.

    Returns:
        dict[str, float]: ``mIoU``; nothing if all is void.
    """
    right, found, true = result['areas'].double().numpy()
    counts = true > 0
    if not counts.any():
        return {}
    return dict(mIoU=100 * float(np.mean((right / (found + true - right))[counts])))


def ranked(pictures: list[PictureFigures]) -> tuple[str, list[PictureFigures]]:
    """The figure that pictures are sorted by, and those that have it, the worst first."""
    key = 'PQ' if any('PQ' in picture.figures for picture in pictures) else 'mIoU'
    found = [picture for picture in pictures if not math.isnan(picture.figures.get(key, math.nan))]
    return key, sorted(found, key=lambda picture: picture.figures[key])


def _build_metrics(settings: list[dict], metainfo: Mapping) -> Iterator[BaseMetric]:
    """The metrics that saved predictions are enough for; none writes files."""
    for each in settings:
        kind = METRICS.get(each['type'])
        if issubclass(kind, CheckedPanopticMetric | OpenVocabularySemanticMetric):
            metric = METRICS.build({
                key: value for key, value in each.items()
                if key not in ('outfile_prefix', 'output_dir', 'format_only')})
            metric.dataset_meta = metainfo
            yield metric
