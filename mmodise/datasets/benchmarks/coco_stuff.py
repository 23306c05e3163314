"""COCO-Stuff 164k."""

from mmdet.datasets import CocoSegDataset
from mmdet.registry import DATASETS

from .metainfo import benchmark_metainfo
from .semantic import SemanticDataset

#: Values that no map has: categories that COCO gave up.
GAPS = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
#: The value of each class in the maps as they are downloaded.
VALUES = tuple(value for value in range(182) if value not in GAPS)
NUM_THINGS = 80
_NAMES = tuple(CocoSegDataset.METAINFO['classes'])


@DATASETS.register_module()
class COCOStuffDataset(SemanticDataset):
    """COCO-Stuff 164k: 171 labels, 80 things and then 91 classes of stuff.

    The maps are those that ``mim run mmodise prepare_coco_stuff`` writes, whose values are labels,
    as other tools write them; or with ``original=True`` those of the download, whose values go to
    181 with gaps. In both 0 is person and 255 void.

    Args:
        original (bool): Whether maps are as they were downloaded. Defaults to False.
        **kwargs: As for :class:`SemanticDataset`.
    """

    METAINFO = dict(
        benchmark_metainfo(_NAMES[:NUM_THINGS], _NAMES[NUM_THINGS:], 'coco_stuff'),
        palette=CocoSegDataset.METAINFO['palette'])

    def __init__(self, *args, original: bool = False, **kwargs) -> None:
        self.original = original
        super().__init__(*args, **kwargs)

    def values(self) -> dict[int, int]:
        """Of each value that maps may have: its label, or ``ignore_index``."""
        if not self.original:
            return super().values()
        labels = {value: label for label, value in enumerate(VALUES)}
        return {**labels, self.ignore_index: self.ignore_index}

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Make them with `mim run mmodise prepare_coco_stuff`.'
