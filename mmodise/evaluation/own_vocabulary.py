"""Pictures that bring a vocabulary of their own, and what figures of them are called.

A vocabulary that holds only the names of what is in a picture, while the data set has more, is an
oracle: somebody who knows the answer has made it. Figures under such vocabularies are called so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from torch import Tensor

from ..vocabulary import Vocabulary

#: What names of figures begin with that were made with oracle vocabularies.
ORACLE = 'oracle_'


@dataclass(frozen=True)
class OwnVocabulary:
    """The classes of a vocabulary as labels of a data set.

    Args:
        labels (tuple[int, ...]): Of each of its classes; the number of the data set's classes where
            it is none of them.
        num_classes (int): Of the data set.
        is_translated (bool): Whether results have labels of the data set already. Defaults to
            False.
    """

    labels: tuple[int, ...]
    num_classes: int
    is_translated: bool = False

    @classmethod
    def of(cls, sample: Mapping, metainfo: Mapping) -> OwnVocabulary | None:
        """That of a sample; None if it has none, or that of the data set.

        As many classes as the data set's are taken to be these, in their order, by whatever names;
        unless all of their names are known, and the order is another one.

        Args:
            sample (Mapping): Perhaps with ``vocabulary``, or ``text`` and ``stuff_text``; a saved
                result with ``own_labels``, as ``labels`` here, has labels of the data set.
            metainfo (Mapping): Of the data set.
        """
        if 'own_labels' in sample:
            own_labels = sample['own_labels']
            return own_labels and cls(own_labels, len(metainfo['classes']), True)
        own, text, stuff_text = (sample.get(key) for key in ('vocabulary', 'text', 'stuff_text'))
        if own is None and text is None and stuff_text is None:
            return None
        given = metainfo.get('thing_classes', metainfo['classes']), metainfo.get('stuff_classes')
        if own is None and (text, stuff_text or ()) == (given[0], given[1] or ()):
            return None  # what an ordinary test costs
        own = own or Vocabulary.from_texts(text, stuff_text)
        labels = _find_labels(own, metainfo)
        num_classes = len(metainfo['classes'])
        if len(own) == num_classes and (
                sorted(labels) != [*range(num_classes)] or labels == tuple(range(num_classes))):
            return None
        return cls(labels, num_classes)

    def is_only(self, present: Collection[int], among: int | None = None) -> bool | None:
        """Whether it has nothing but what is in the picture; None if it has all that there is.

        Args:
            present (Collection[int]): Labels of what is in the picture.
            among (int, optional): How many of the data set's first classes are looked at, such as
                its things. Defaults to None, all.
        """
        labels = set(self.labels)
        if among is not None:
            labels -= {*range(among, self.num_classes)}
        is_only = labels.issubset(present)
        return None if is_only and len({*self.labels}) == self.num_classes else is_only

    def translate(self, sample: Mapping) -> dict:
        """A sample whose results have labels of the data set; other classes become void.

        Args:
            sample (Mapping): Perhaps with ``pred_panoptic_seg``, ``pred_sem_seg`` and
                ``pred_instances``.
        """
        sample = dict(sample)
        if self.is_translated:
            return sample
        if 'pred_panoptic_seg' in sample:
            result = dict(sample['pred_panoptic_seg'])
            segments = result['sem_seg']
            result['sem_seg'] = self._labels(segments % INSTANCE_OFFSET) + (
                segments // INSTANCE_OFFSET * INSTANCE_OFFSET)
            sample['pred_panoptic_seg'] = dict(result, ignore_index=self.num_classes)
        if 'pred_sem_seg' in sample:
            result = sample['pred_sem_seg']
            sample['pred_sem_seg'] = dict(result, sem_seg=self._labels(result['sem_seg']))
        if 'pred_instances' in sample:
            instances = dict(sample['pred_instances'])
            instances['labels'] = self._labels(instances['labels'])
            known = instances['labels'] < self.num_classes
            sample['pred_instances'] = {
                key: _choose(value, known) for key, value in instances.items()}
        return sample

    def _labels(self, labels: Tensor) -> Tensor:
        table = torch.tensor([*self.labels, self.num_classes], device=labels.device)
        return table[labels.long().clamp(max=len(self.labels))]


def _find_labels(own: Vocabulary, metainfo: Mapping) -> tuple[int, ...]:
    """Labels of the classes of a vocabulary by any of their names; else the number of classes."""
    classes, places = metainfo['classes'], {}
    for label, names in enumerate(Vocabulary.from_metainfo(metainfo).classes):
        places.update((name, label) for name in names if name not in places)
    places.update((name.strip(), label) for label, name in enumerate(classes))
    return tuple(next((places[name] for name in names if name in places), len(classes))
                 for names in own.classes)


def _choose(values: Tensor | np.ndarray | Collection, known: Tensor) -> object:
    if isinstance(values, Tensor):
        return values[known]
    if isinstance(values, np.ndarray):
        return values[known.cpu().numpy()]
    return [value for value, is_known in zip(values, known.tolist(), strict=True) if is_known]


def name_figures(
    figures: Mapping[str, float], only_present: Iterable[bool | None]
) -> dict[str, float]:
    """Call figures oracle ones, if they are.

    They are if pictures brought vocabularies of their own, and each of these had nothing but what
    is in its picture.

    Args:
        figures (Mapping[str, float]): By name.
        only_present (Iterable[bool | None]): Of each picture :meth:`OwnVocabulary.is_only`; None if
            it brought none.
    """
    own = [each for each in only_present if each is not None]
    if own and all(own):
        return {f'{ORACLE}{name}': value for name, value in figures.items()}
    return dict(figures)


def find_figure(figures: Mapping[str, float], key: str) -> tuple[str, float] | None:
    """A figure by its key, ``PREFIX/NAME``, or the oracle's of this name.

    Returns:
        tuple[str, float] | None: 'oracle' or '', and the value; None if there is none.
    """
    prefix, _, name = key.rpartition('/')
    oracle = f'{prefix}/{ORACLE}{name}' if prefix else f'{ORACLE}{name}'
    if key in figures:
        return '', figures[key]
    return ('oracle', figures[oracle]) if oracle in figures else None
