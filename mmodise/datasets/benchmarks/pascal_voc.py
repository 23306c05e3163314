"""PASCAL VOC 2012, semantic: PAS-20 and PAS-21."""

from mmdet.datasets import VOCDataset
from mmdet.registry import DATASETS

from .metainfo import semantic_metainfo
from .pascal_context import CONTEXT_59
from .semantic import SemanticDataset

#: The 20 objects, in the order of their values from 1.
OBJECTS = tuple(VOCDataset.METAINFO['classes'])
_SAME = {'table': 'diningtable'}  # of PASCAL Context


def _with_background() -> dict:
    """PAS-21: the words of the background are the classes of PASCAL Context that are no objects."""
    others = [name for name in CONTEXT_59 if _SAME.get(name, name) not in OBJECTS]
    background = ', '.join(semantic_metainfo(others, 'pascal_context')['thing_classes'])
    objects = semantic_metainfo(OBJECTS, 'voc')
    return dict(objects, classes=('background', *OBJECTS),
                thing_classes=(background, *objects['thing_classes']))


@DATASETS.register_module()
class PascalVOC20Dataset(SemanticDataset):
    """PASCAL VOC 2012 with 20 classes (PAS-20); background and borders, 255, do not count.

    The maps are those that ``mim run mmodise prepare_pascal_voc`` writes into
    ``annotations_pascal20``, as other tools do: the values of VOC less 1.
    """

    METAINFO = semantic_metainfo(OBJECTS, 'voc')

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Make them with `mim run mmodise prepare_pascal_voc`.'


@DATASETS.register_module()
class PascalVOC21Dataset(PascalVOC20Dataset):
    """PASCAL VOC 2012 with background, the label 0, and 20 classes (PAS-21).

    The maps are VOC's own. The words of the background are 39 names: the classes of PASCAL Context
    that are none of VOC's, scored as synonyms.
    """

    METAINFO = _with_background()
