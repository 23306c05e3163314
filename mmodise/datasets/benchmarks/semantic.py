"""Data sets whose truth is a map of classes per image."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Iterator

from mmdet.datasets import BaseSegDataset
from mmdet.registry import DATASETS
from mmengine.fileio import list_dir_or_file, list_from_file
from mmengine.logging import print_log

from ..panoptic import FolderListings


@DATASETS.register_module()
class SemanticDataset(BaseSegDataset):
    """mmdet's ``BaseSegDataset``, which takes nothing on trust and brings a vocabulary.

    It differs in this:

    - ``img_id`` of a sample is the image's name, with folders below the prefix and without ending.
    - Images without a map are left out, and counted; but images that ``ann_file`` lists must have
      one, and in tests all: there maps without an image are an error, too.
    - ``label_map`` of a sample is complete: every value that maps may have, and its label or
      ``ignore_index``. :class:`LoadSemanticMap` refuses others.

    Args:
        return_classes (bool): Whether samples bring the vocabulary, ``text`` (things) and
            ``stuff_text``. Defaults to False.
        ignore_index (int): The label of pixels that do not count, and that value of maps. Defaults
            to 255.
        **kwargs: As for :class:`mmdet.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: When built, if folders, images or maps are not there.
    """

    def __init__(self, *args, return_classes: bool = False, ignore_index: int = 255,
                 **kwargs) -> None:
        self.return_classes, self.ignore_index = return_classes, ignore_index
        super().__init__(*args, **kwargs)

    def values(self) -> dict[int, int]:
        """Of each value that maps may have: its label, or ``ignore_index``."""
        labels = {label: label for label in range(len(self._metainfo['classes']))}
        return {**labels, self.ignore_index: self.ignore_index}

    def load_data_list(self) -> list[dict]:
        """One sample per image that has a map, sorted by name."""
        listings, values = FolderListings(), self.values()
        names = sorted(self._names())
        if not names:
            raise FileNotFoundError(
                f'{type(self).__name__}: there is no image *{self.img_suffix} in '
                f'{self.data_prefix["img_path"]}. Check data_root and data_prefix.')
        pairs = [(name, *self._paths(name)) for name in names]
        missing = [seg_map for _, _, seg_map in pairs if not listings.has(seg_map)]
        if missing and (self.ann_file or self.test_mode or len(missing) == len(pairs)):
            raise FileNotFoundError(
                f'{type(self).__name__}: {len(missing)} of {len(pairs)} maps are not there, the '
                f'first is {missing[0]}. {self.advice()} If only some images have a map, list them '
                'in ann_file.')
        if self.test_mode and not self.ann_file:
            self._refuse_stray_maps({seg_map for _, _, seg_map in pairs})
        if missing:
            print_log(f'{type(self).__name__}: {len(missing)} of {len(pairs)} images have no map, '
                      f'such as {missing[0]}, and are left out.', 'current', logging.WARNING)
        absent = set(missing)
        return [self._sample(name, image, seg_map, values) for name, image, seg_map in pairs
                if seg_map not in absent]

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Check data_root and data_prefix, or prepare the data set.'

    def _names(self) -> Iterator[str]:
        if self.ann_file:
            lines = list_from_file(self.ann_file, backend_args=self.backend_args)
            yield from (line.strip() for line in lines if line.strip())
        else:
            for path in list_dir_or_file(
                    self.data_prefix['img_path'], list_dir=False, suffix=self.img_suffix,
                    recursive=True, backend_args=self.backend_args):
                yield path.removesuffix(self.img_suffix)

    def _refuse_stray_maps(self, expected: set[str]) -> None:
        folder = self.data_prefix['seg_map_path']
        found = [osp.join(folder, name) for name in list_dir_or_file(
            folder, list_dir=False, suffix=self.seg_map_suffix, recursive=True,
            backend_args=self.backend_args)]
        strays = [path for path in found if path not in expected]
        if strays:
            raise FileNotFoundError(
                f'{type(self).__name__}: of {len(found)} maps, {len(strays)} have no image in '
                f'{self.data_prefix["img_path"]}, the first is {strays[0]}. Images are missing; or '
                'list in ann_file those that are to be tested.')

    def _paths(self, name: str) -> tuple[str, str]:
        return (osp.join(self.data_prefix['img_path'], f'{name}{self.img_suffix}'),
                osp.join(self.data_prefix['seg_map_path'], f'{name}{self.seg_map_suffix}'))

    def _sample(self, name: str, image: str, seg_map: str, values: dict[int, int]) -> dict:
        sample = dict(img_id=name, img_path=image, seg_map_path=seg_map, label_map=values,
                      ignore_index=self.ignore_index, instances=[])
        if self.return_classes:
            sample.update(
                text=self._metainfo.get('thing_classes', self._metainfo['classes']),
                stuff_text=self._metainfo.get('stuff_classes', ()), custom_entities=True)
        return sample
