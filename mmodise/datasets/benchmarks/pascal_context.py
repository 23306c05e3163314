"""PASCAL Context, semantic: PC-59 and PC-459."""

from __future__ import annotations

import os.path as osp

from mmdet.registry import DATASETS

from ...vocabulary.files import read_file
from .metainfo import semantic_metainfo
from .semantic import SemanticDataset

#: The 59 classes in the order of their labels, each with its number in the list of 459.
CONTEXT_59 = {
    'aeroplane': 2, 'bag': 9, 'bed': 18, 'bedclothes': 19, 'bench': 22, 'bicycle': 23, 'bird': 25,
    'boat': 31, 'book': 33, 'bottle': 34, 'building': 44, 'bus': 45, 'cabinet': 46, 'car': 59,
    'cat': 65, 'ceiling': 68, 'chair': 72, 'cloth': 80, 'computer': 85, 'cow': 98, 'cup': 104,
    'curtain': 105, 'dog': 113, 'door': 115, 'fence': 144, 'floor': 158, 'flower': 159,
    'food': 162, 'grass': 187, 'ground': 189, 'horse': 207, 'keyboard': 220, 'light': 232,
    'motorbike': 258, 'mountain': 259, 'mouse': 260, 'person': 284, 'plate': 295, 'platform': 296,
    'pottedplant': 308, 'road': 324, 'rock': 326, 'sheep': 347, 'shelves': 349, 'sidewalk': 354,
    'sign': 355, 'sky': 360, 'snow': 366, 'sofa': 368, 'table': 397, 'track': 415, 'train': 416,
    'tree': 420, 'truck': 424, 'tvmonitor': 427, 'wall': 440, 'water': 445, 'window': 454,
    'wood': 458}
#: Classes of the long list; one of them is "unknown".
NUM_459 = 459


@DATASETS.register_module()
class PascalContext59Dataset(SemanticDataset):
    """PASCAL Context with 59 classes (PC-59); what is none of them, 255, does not count.

    The maps are those that ``mim run mmodise prepare_pascal_context`` writes into
    ``annotations_ctx59``, as other tools do: labels from 0, 255 for background.
    """

    METAINFO = semantic_metainfo(tuple(CONTEXT_59), 'pascal_context')

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Make them with `mim run mmodise prepare_pascal_context`.'


@DATASETS.register_module()
class PascalContext459Dataset(PascalContext59Dataset):
    """PASCAL Context with all 459 classes (PC-459), of which "unknown" is one.

    The maps are those that ``mim run mmodise prepare_pascal_context`` writes into
    ``annotations_ctx459``, as other tools do: labels from 0, of 16 bits, 65535 does not count.

    Args:
        classes_file (str): The classes in the order of their labels, a line ``id:name,synonym``
            each. Starts at ``data_root``. Defaults to ``'annotations_ctx459/classes.txt'``, which
            is written with the maps.
        metainfo (dict, optional): Replaces what the file says. Defaults to None.
        **kwargs: As for :class:`SemanticDataset`.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it does not name 459 classes.
    """

    METAINFO: dict = {}

    def __init__(
        self, *args, classes_file: str = 'annotations_ctx459/classes.txt',
        data_root: str | None = None, metainfo: dict | None = None, seg_map_suffix: str = '.tif',
        ignore_index: int = 65535, **kwargs,
    ) -> None:
        if 'classes' not in (metainfo or {}):
            metainfo = {**_read_459(osp.join(data_root or '', classes_file)), **(metainfo or {})}
        super().__init__(*args, data_root=data_root, metainfo=metainfo,
                         seg_map_suffix=seg_map_suffix, ignore_index=ignore_index, **kwargs)


def _read_459(path: str) -> dict:
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'{path}, the names of the classes of PASCAL Context 459, is not there. It is written '
            'by `mim run mmodise prepare_pascal_context`; where the maps are already, copy '
            "PASCAL Context's labels.txt to it.")
    words = read_file(path).things
    if len(words) != NUM_459:
        raise ValueError(f'{path} names {len(words)} classes; expected the {NUM_459} of PASCAL '
                         'Context, one a line, in the order of their labels.')
    return dict(classes=tuple(names[0] for names in words), stuff_classes=(),
                thing_classes=tuple(map(', '.join, words)))
