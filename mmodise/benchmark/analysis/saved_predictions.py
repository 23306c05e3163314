"""Predictions that a test or ``predict`` has left in a folder."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmengine.logging import print_log

from ...datasets.converters.coco_panoptic import find_map
from ...datasets.mask_files.panoptic import is_panoptic
from ...datasets.mask_files.picture_names import PictureNames
from ...datasets.panoptic import (
    Findings,
    FolderListings,
    check_classes,
    match_classes,
    read_panoptic_file,
    read_segments,
)
from ...datasets.panoptic.classes import respell
from ...datasets.panoptic.orientation import check_same_size
from ...datasets.panoptic.segment_map import read_numbers
from ...evaluation.prediction_dump import FILE_NAME
from ...vocabulary import Vocabulary


class _Entry(NamedTuple):
    """Where the prediction of a picture is, and what its vocabulary was.

    ``labels`` are by category id, ``order`` in the order of the categories; ``own`` are those of
    the picture's own vocabulary, if it had one.
    """

    map_path: Path
    infos: Sequence[Mapping]
    labels: dict[Hashable, int]
    order: tuple[int, ...]
    semantic_path: Path
    own: tuple[int, ...] | None


class SavedPredictions:
    """Predictions of pictures, found by the pictures' names.

    They are those of a test with ``--save-predictions``, or of ``predict`` in the format
    'coco-panoptic'. Classes go by name; segments of names that are no classes of the data set are
    void, and told.

    Args:
        folder (Path): With ``panoptic.json``, or with ``NAME_panoptic.json`` files.
        metainfo (Mapping): Of the data set.

    Raises:
        FileNotFoundError: If there are no predictions in it.
        ValueError: If a file is not valid, or none of its names is one of the data set's.
    """

    def __init__(self, folder: Path, metainfo: Mapping) -> None:
        self.folder, self._metainfo = folder, metainfo
        self._void, self._told = len(check_classes(metainfo)), set()
        self._spellings = _spellings(metainfo)
        self._matches: dict[tuple, tuple[dict, tuple]] = {}
        self.novel_classes: tuple[str, ...] | None = None
        self._names = PictureNames(
            (pair for path in _list_files(folder) for pair in self._read_file(path)), str(folder))

    def _read_file(self, path: Path) -> Iterator[tuple[str, _Entry]]:
        file, listings = read_panoptic_file(str(path)), FolderListings()
        labels, order = self._match(str(path), file.categories)
        is_whole = path.name == FILE_NAME
        if is_whole and 'novel' in file.categories[0]:
            self.novel_classes = tuple(c['name'] for c in file.categories if c['novel'])
        for image_id in file.annotations:
            name, map_name = file.images[image_id]['file_name'], file.map_name(image_id)
            infos = file.segments(image_id)
            map_path = path.with_suffix('') / map_name
            if infos:
                map_path = find_map(path, map_name, listings, f'{path}, {file.entry(image_id)}')
            yield (name if is_whole else f'{path.parent.as_posix()}/{name}', _Entry(
                map_path, infos, labels, order, path.parent / 'semantic' / map_name,
                self._own(file.annotations[image_id].get('vocabulary'), order, is_whole)))

    def _own(
        self, categories: Sequence[int] | None, order: tuple[int, ...], is_whole: bool
    ) -> tuple[int, ...] | None:
        """Labels of a picture's own vocabulary; None if it had the data set's."""
        if categories is not None:
            return tuple(order[i - 1] if i <= len(order) else self._void for i in categories)
        if is_whole or {*order} == {*range(self._void)}:
            return None
        return order

    def _match(self, path: str, categories: Sequence[Mapping]) -> tuple[dict, tuple]:
        """Labels of the data set for categories, by id and in their order."""
        key = tuple((category['id'], category['name']) for category in categories)
        if key not in self._matches:
            findings, classes = Findings(path), self._metainfo['classes']
            spelt = respell(categories, dict(spellings=self._spellings))
            match_classes(classes, spelt, findings)
            try:
                findings.raise_errors()
            except ValueError as error:
                raise ValueError(f'The predictions are of another vocabulary than the data set. '
                                 f'{error}') from error
            findings.tell(self._told)
            places = {name.strip(): label for label, name in enumerate(classes)}
            labels = {category['id']: places[name] for category in spelt
                      if (name := category['name'].strip()) in places}
            order = tuple(labels.get(category['id'], self._void) for category in categories)
            self._matches[key] = labels, order
        return self._matches[key]

    def has(self, picture: str) -> bool:
        """Whether there is a prediction of a picture, by its path."""
        return self._names.find(os.path.abspath(picture)) is not None

    def read(self, sample: Mapping) -> dict:
        """The prediction of a picture, as a model gives it to metrics.

        Args:
            sample (Mapping): With ``img_path`` and ``ori_shape``.

        Returns:
            dict: ``pred_panoptic_seg`` and ``pred_sem_seg``; without semantic maps, the latter are
            the names of the segments. ``own_labels``, see :class:`OwnVocabulary`.

        Raises:
            ValueError: If it is of another size, or its files do not fit each other.
        """
        path, shape = sample['img_path'], tuple(sample['ori_shape'][:2])
        entry = self._names.find(os.path.abspath(path))
        panoptic = labels = np.full(shape, self._void)
        if entry.infos:
            findings = Findings(str(entry.map_path))
            segments = read_segments(str(entry.map_path), entry.infos, findings, shape, path)
            findings.tell(self._told)
            values = [entry.labels.get(info['category_id'], self._void) for info in segments.infos]
            labels = segments.paint(values, self._void)
            panoptic = segments.paint(
                [value + INSTANCE_OFFSET * number * (value < self._void)
                 for number, value in enumerate(values, start=1)], self._void)
        if entry.semantic_path.is_file():
            labels = self._read_semantic(entry, shape, path)
        elif 'semantic' not in self._told:
            self._told.add('semantic')
            print_log(f'{self.folder} has no semantic results: those of pixels are the names of '
                      'the panoptic segments.', 'current')
        return dict(
            own_labels=entry.own,
            pred_panoptic_seg=dict(
                sem_seg=torch.from_numpy(panoptic)[None], ignore_index=self._void),
            pred_sem_seg=dict(sem_seg=torch.from_numpy(labels)[None]))

    def _read_semantic(self, entry: _Entry, shape: tuple[int, int], path: str) -> np.ndarray:
        labels = read_numbers(str(entry.semantic_path))
        check_same_size(path, shape, str(entry.semantic_path), labels.shape)
        return np.array([*entry.order, self._void])[labels.clip(max=len(entry.order))]


def _spellings(metainfo: Mapping) -> dict[str, str]:
    """The class of each name that the data set knows for it."""
    classes = metainfo['classes']
    spellings = dict(metainfo.get('spellings') or {})
    if metainfo.get('thing_classes') is not None:
        for name, names in zip(classes, Vocabulary.from_metainfo(metainfo).classes, strict=True):
            spellings.update(dict.fromkeys(names, name))
    return spellings | {name.strip(): name for name in classes}


def _list_files(folder: Path) -> list[Path]:
    if (folder / FILE_NAME).is_file():
        return [folder / FILE_NAME]
    found = sorted(path for path in folder.rglob('*.json') if is_panoptic(path))
    if not found:
        raise FileNotFoundError(
            f'{folder} has no predictions: neither {FILE_NAME}, which a test with '
            '--save-predictions writes when it is done, nor NAME_panoptic.json, which predict '
            'writes.')
    return found
