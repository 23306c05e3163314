"""ADE20K's benchmark of 150 classes: panoptic and semantic truth, each from its own files."""

from __future__ import annotations

from mmdet.datasets import ADE20KPanopticDataset
from mmdet.registry import DATASETS

from ..checked_panoptic import CheckedPanopticDataset
from .metainfo import benchmark_metainfo
from .semantic import SemanticDataset

_THINGS, _STUFF = (tuple(ADE20KPanopticDataset.METAINFO[f'{kind}_classes'])
                   for kind in ('thing', 'stuff'))
#: What of the benchmark's order, from 0, are things, in the order of the 100 categories that have
#: instances; the rest is stuff.
THING_IDS = (
    7, 8, 10, 12, 14, 15, 18, 19, 20, 22, 23, 24, 27, 30, 31, 32, 33, 35, 36, 37, 38, 39, 41, 42,
    43, 44, 45, 47, 49, 50, 53, 55, 56, 57, 58, 62, 64, 65, 66, 67, 69, 70, 71, 72, 73, 74, 75, 76,
    78, 80, 81, 82, 83, 85, 86, 87, 88, 89, 90, 92, 93, 95, 97, 98, 102, 103, 104, 107, 108, 110,
    111, 112, 115, 116, 118, 119, 120, 121, 123, 124, 125, 126, 127, 129, 130, 132, 133, 134, 135,
    136, 137, 138, 139, 142, 143, 144, 146, 147, 148, 149)
STUFF_IDS = tuple(sorted(set(range(150)).difference(THING_IDS)))
#: What detectron2's files call classes that mmdet's call otherwise.
SPELLINGS = {'plane': 'airplane', 'window ': 'window'}
_VOID = 255


@DATASETS.register_module()
class ADE20KPanopticBenchmark(CheckedPanopticDataset):
    """ADE20K's panoptic annotations: 100 things and then 50 classes of stuff.

    Reads what detectron2's scripts make, and ``mim run mmodise prepare_ade20k_150``, as well as
    what mmdet's script makes: ``ade20k_panoptic_val.json`` with its folder of maps. Labels go by
    name. Areas of stuff in these files are from before instances were pasted over it; PQ as it is
    published takes them, see ``areas`` of the metric.

    Args:
        **kwargs: As for :class:`CheckedPanopticDataset`.
    """

    METAINFO = dict(benchmark_metainfo(_THINGS, _STUFF, 'ade20k'), spellings=SPELLINGS,
                    palette=ADE20KPanopticDataset.METAINFO['palette'])


@DATASETS.register_module()
class ADE20KSemanticBenchmark(SemanticDataset):
    """ADE20K's maps of 150 classes, in the order of :class:`ADE20KPanopticBenchmark`.

    Args:
        zero_is_void (bool): Whether values are those of ``annotations`` as downloaded, 0 for
            "other" and 1 to 150; else those of ``annotations_detectron2``, 1 less, and 255 for
            "other". Defaults to True.
        **kwargs: As for :class:`SemanticDataset`.
    """

    METAINFO = ADE20KPanopticBenchmark.METAINFO

    def __init__(self, *args, zero_is_void: bool = True, **kwargs) -> None:
        self.zero_is_void = zero_is_void
        super().__init__(*args, **kwargs)

    def values(self) -> dict[int, int]:
        """Of each value that maps may have: its label, or ``ignore_index``."""
        first, void = (1, 0) if self.zero_is_void else (0, _VOID)
        labels = {number + first: label for label, number in enumerate((*THING_IDS, *STUFF_IDS))}
        return {**labels, void: self.ignore_index}
