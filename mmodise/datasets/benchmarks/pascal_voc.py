"""PASCAL VOC 2012, semantic: PAS-20 and PAS-21."""

from mmdet.datasets import VOCDataset
from mmdet.registry import DATASETS

from ...vocabulary.named import load_named
from .metainfo import semantic_metainfo
from .semantic import SemanticDataset

#: The 20 objects, in the order of their values from 1.
OBJECTS = tuple(VOCDataset.METAINFO['classes'])


def _with_background() -> dict:
    objects, (background, ) = semantic_metainfo(OBJECTS, 'voc'), load_named('voc_21').stuff
    return dict(objects, classes=('background', *OBJECTS),
                thing_classes=(', '.join(background), *objects['thing_classes']))


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

    The maps are VOC's own. The background's names are that word, which users see, and the 39
    classes of PASCAL Context that are none of VOC's; they are scored as synonyms. (Papers score the
    39 alone.)
    """

    METAINFO = _with_background()
