"""Maps of labels, one file a picture, as what mIoU compares results with."""

from __future__ import annotations

import os
import os.path as osp
from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.registry import DATASETS

from ..datasets.panoptic.classes import check_classes, match_classes
from ..datasets.panoptic.file_names import refuse_missing
from ..datasets.panoptic.findings import Findings
from ..datasets.panoptic.orientation import check_same_size
from ..datasets.panoptic.segment_map import read_numbers
from ..datasets.transforms.load_semantic_map import map_labels

#: Values of void in maps of 8 and of 16 bits.
VOID_VALUES = (255, 65535)


class SemanticMaps:
    """The labels of pictures, from a folder of maps.

    Args:
        folder (str): Maps of 8 or 16 bits or with a palette; in the folder itself, or in a folder
            of it that is called as the picture's.
        names (Sequence[str] | Mapping[int, str], optional): Of the values in the maps: in their
            order from ``label_offset`` on; or by value, and all others are void. Labels then go by
            name, and a value whose name is no class is void. Defaults to None, with which values
            are labels of the data set, in its order.
        label_offset (int): The value of the first class; smaller ones are void. Defaults to 0.
        ignore_index (int, optional): A further value that is void. Defaults to None: 255 and 65535
            are, as far as they are no classes.
        img_suffix (str): How names of pictures end. Defaults to '.jpg'.
        seg_map_suffix (str): What names of maps end with instead. Defaults to '.png'.
        backend_args (dict, optional): As mmdet's. Defaults to None.

    Raises:
        FileNotFoundError: If there is no such folder.
    """

    def __init__(
        self,
        folder: str,
        names: Sequence[str] | Mapping[int, str] | None = None,
        label_offset: int = 0,
        ignore_index: int | None = None,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        backend_args: dict | None = None,
    ) -> None:
        if not osp.isdir(folder):
            raise FileNotFoundError(
                f'The folder of maps seg_prefix={folder!r} is not there. Prepare the data set, or '
                'set it to where they are.')
        self._is_complete = not isinstance(names, Mapping)
        if names is not None and self._is_complete:
            names = dict(enumerate(names, start=label_offset))
        self.folder, self._names, self._offset = folder, names, label_offset
        self._ignore_index = ignore_index
        self._suffixes, self._backend_args = (img_suffix, seg_map_suffix), backend_args

    def match(self, metainfo: Mapping) -> None:
        """Find the values that are the classes of a metainfo.

        Raises:
            ValueError: If names are spelt differently, or none fits.
        """
        classes = check_classes(metainfo)
        self._void = len(classes)
        self._labels = np.full(65536, -1 if self._is_complete else self._void)
        self._labels[:self._offset] = self._void
        if self._names is None:
            values = np.arange(self._offset, self._offset + len(classes))
            self._labels[values] = np.arange(len(classes))
        else:
            findings = Findings(self.folder)
            categories = [dict(id=value, name=name) for value, name in self._names.items()]
            labels = match_classes(classes, categories, findings).labels
            findings.raise_errors()
            findings.tell()
            values = list(self._names)
            self._labels[values] = [labels.get(value, self._void) for value in values]
        ignored = set(VOID_VALUES).difference(values)
        if self._ignore_index is not None:
            ignored.add(self._ignore_index)
        self._labels[list(ignored)] = self._void

    def check_images(self, samples: Sequence[Mapping]) -> None:
        """Look for the maps of pictures before any is tested.

        Args:
            samples (Sequence[Mapping]): Each with ``img_path``.

        Raises:
            FileNotFoundError: If some are missing; counts them.
        """
        missing = [sample['img_path'] for sample in samples
                   if not any(map(os.path.exists, self._places(sample['img_path'])))]
        refuse_missing(missing, len(samples), 'maps of pictures', self.folder)

    def read(self, sample: Mapping, shape: tuple[int, int]) -> np.ndarray:
        """Labels of a picture, (H, W); the number of classes where it is void.

        Args:
            sample (Mapping): A result, with ``img_path``.
            shape (tuple[int, int]): Its height and width.

        Raises:
            FileNotFoundError: If its map is not there.
            ValueError: If the map is of another size, or has a value that is neither a class nor
                void.
        """
        path = self._find(sample['img_path'])
        values = read_numbers(path, self._backend_args)
        check_same_size(sample['img_path'], shape, path, values.shape)
        labels = self._labels[values if values.itemsize < 4 else values.clip(max=65535)]
        if (labels < 0).any():
            raise ValueError(
                f'{path} has a value {values[labels < 0].max()}, which is no class: there are '
                f'{self._void} classes, and label_offset={self._offset}. Is it of another '
                'data set? A further value that is void is given as ignore_index.')
        return labels

    def _places(self, image_path: str) -> list[str]:
        before, name = osp.split(image_path)
        old, new = self._suffixes
        stem = name[:-len(old)] if name.endswith(old) else _stem(name)
        return [osp.join(self.folder, *folders, stem + new)
                for folders in ((), (osp.basename(before), ))]

    def _find(self, image_path: str) -> str:
        paths = self._places(image_path)
        for path in paths:
            if os.path.exists(path):
                return path
        raise FileNotFoundError(
            f'The map of {image_path} is neither {paths[0]} nor {paths[1]}. Check seg_prefix, '
            'img_suffix and seg_map_suffix.')


class DataSetMaps:
    """The labels of pictures, from another data set of the same pictures, found by their names.

    So a panoptic data set has mIoU from the maps that the field takes it from.

    Args:
        data_set (Mapping): The config of a data set with ``seg_map_path``, ``label_map`` and
            ``ignore_index`` in its samples, such as :class:`mmodise.datasets.SemanticDataset`.
        backend_args (dict, optional): As mmdet's. Defaults to None.

    Raises:
        FileNotFoundError: If the data are not there.
        ValueError: If two of its pictures have one name.
    """

    def __init__(self, data_set: Mapping, backend_args: dict | None = None) -> None:
        built = DATASETS.build(
            dict(data_set, pipeline=[], test_mode=True, serialize_data=False))
        self.folder = str(built.data_prefix['seg_map_path'])
        self._classes = built.metainfo['classes']
        self._backend_args = backend_args
        infos = [built.get_data_info(index) for index in range(len(built))]
        self._paths = {_stem(info['img_path']): info['seg_map_path'] for info in infos}
        if len(self._paths) < len(infos):
            raise ValueError(f'{self.folder}: pictures of one name in several folders cannot be '
                             'told apart.')
        self._label_map, self._ignore_index = infos[0]['label_map'], infos[0]['ignore_index']

    def match(self, metainfo: Mapping) -> None:
        """Find the classes of a metainfo among those of the data set, by name.

        Raises:
            ValueError: If names are spelt differently, or none fits.
        """
        classes, findings = check_classes(metainfo), Findings(self.folder)
        labels = match_classes(
            classes, [dict(id=i, name=name) for i, name in enumerate(self._classes)],
            findings).labels
        findings.raise_errors()
        findings.tell()
        void = len(classes)
        self._labels = {
            value: void if label == self._ignore_index else labels.get(label, void)
            for value, label in self._label_map.items()}

    def check_images(self, samples: Sequence[Mapping]) -> None:
        """Look for the maps of pictures, as :class:`SemanticMaps` does."""
        missing = [sample['img_path'] for sample in samples
                   if _stem(sample['img_path']) not in self._paths]
        refuse_missing(missing, len(samples), 'maps of pictures', self.folder)

    def read(self, sample: Mapping, shape: tuple[int, int]) -> np.ndarray:
        """Labels of a picture, as those of :class:`SemanticMaps`."""
        path = self._paths.get(_stem(sample['img_path']))
        if path is None:
            raise FileNotFoundError(
                f'The map of {sample["img_path"]} is not in {self.folder}, where there are '
                f'{len(self._paths)} of other pictures. Check data_prefix.')
        values = read_numbers(path, self._backend_args)
        check_same_size(sample['img_path'], shape, path, values.shape)
        return map_labels(values, self._labels, path)


def _stem(path: str) -> str:
    return osp.splitext(osp.basename(path))[0]
