"""Visual Genome's regions."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping

from mmdet.registry import DATASETS

from ...vocabulary.files import read_file
from ..captioned_regions import CaptionedRegionsDataset


@DATASETS.register_module()
class VisualGenomeRegions(CaptionedRegionsDataset):
    """Visual Genome's regions, as ``mim run mmodise prepare_visual_genome`` writes them.

    To train on, samples have ``regions`` and ``captions``, see :class:`CaptionedRegionsDataset`.
    To evaluate on, with ``classes_file``, samples also have the most frequent names as their
    vocabulary, ``text``; :class:`RegionRecallMetric` compares results with ``regions``, which
    ``PackDetInputs`` then must list in its ``meta_keys``. Images without a phrase are left out.

    Args:
        classes_file (str, optional): The names to look for, a line ``id:name,synonym`` each, such
            as ``'classes.txt'``, which is written beside the regions. Starts at ``data_root``.
            Defaults to None, no vocabulary.
        **kwargs: As for :class:`CaptionedImagesDataset`.

    Raises:
        FileNotFoundError: If the annotation file is not there, or ``classes_file``, or images.
        ValueError: If the annotation file is not valid, or ``classes_file`` is not.
    """

    def __init__(
        self, *args, classes_file: str | None = None, data_root: str | None = None,
        metainfo: dict | None = None, **kwargs,
    ) -> None:
        if classes_file is not None:
            metainfo = {**_read_names(osp.join(data_root or '', classes_file)), **(metainfo or {})}
        super().__init__(*args, data_root=data_root, metainfo=metainfo, **kwargs)

    def get_data_info(self, idx: int) -> dict:
        """As the parent's, with the vocabulary: it is large, and not kept for each image."""
        info = super().get_data_info(idx)
        if self.return_classes:
            info.update(text=self._metainfo['thing_classes'], stuff_text=(), custom_entities=True)
        return info


def name_of(region: Mapping) -> str | None:
    """What a region is called in a vocabulary: the last word of its first noun phrase.

    'the man with the cat' is a man. Names of ``classes.txt`` are such words.

    Args:
        region (Mapping): With ``phrases``.

    Returns:
        str: None if there is no noun phrase.
    """
    return region['phrases'][0].split()[-1] if region['phrases'] else None


def _read_names(path: str) -> dict:
    if not osp.isfile(path):
        raise FileNotFoundError(f"{path}, Visual Genome's most frequent names, is not there. It is "
                                'written by `mim run mmodise prepare_visual_genome`.')
    words = read_file(path).things
    return dict(classes=tuple(names[0] for names in words), stuff_classes=(),
                thing_classes=tuple(map(', '.join, words)))
