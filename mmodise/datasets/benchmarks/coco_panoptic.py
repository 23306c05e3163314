"""COCO panoptic, with its maps in either of two places."""

import os.path as osp

from mmdet.datasets import CocoPanopticDataset
from mmdet.registry import DATASETS

from ..checked_panoptic import CheckedPanopticDataset
from .metainfo import benchmark_metainfo


@DATASETS.register_module()
class COCOPanopticBenchmark(CheckedPanopticDataset):
    """COCO's panoptic annotations, 80 things and 53 classes of stuff, perhaps with captions.

    Maps are in ``annotations/panoptic_val2017``, as mmdet has them, or in ``panoptic_val2017``
    beside the pictures, as detectron2 has them: what ``data_prefix.seg`` names and is not there is
    looked for in the other place.

    Args:
        **kwargs: As for :class:`CheckedPanopticDataset`, of which ``caption_file`` is the file with
            captions.
    """

    METAINFO = dict(
        benchmark_metainfo(CocoPanopticDataset.METAINFO['thing_classes'],
                           CocoPanopticDataset.METAINFO['stuff_classes'], 'coco'),
        palette=CocoPanopticDataset.METAINFO['palette'])

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if 'seg' in self.data_prefix:
            self.data_prefix['seg'] = find_maps(self.data_prefix['seg'])


def find_maps(folder: str) -> str:
    """The folder of maps, in mmdet's place or in detectron2's; as given, if it is in neither."""
    above, name = osp.split(folder.rstrip('/'))
    parent, last = osp.split(above)
    other = osp.join(parent if last == 'annotations' else osp.join(above, 'annotations'), name)
    return other if osp.isdir(other) and not osp.isdir(folder) else folder
