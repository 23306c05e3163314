"""Cityscapes: panoptic truth, and semantic truth through train ids."""

from mmdet.registry import DATASETS

from ..checked_panoptic import CheckedPanopticDataset
from ..converters.cityscapes import STUFF, THINGS
from .metainfo import benchmark_metainfo
from .semantic import SemanticDataset

_METAINFO = benchmark_metainfo(tuple(THINGS.values()), tuple(STUFF.values()), 'cityscapes')
_NUM_IDS = 34  # from 0; license plate, -1, is not drawn
_VOID = 255


@DATASETS.register_module()
class CityscapesPanopticDataset(CheckedPanopticDataset):
    """Cityscapes' panoptic annotations: 8 things and then 11 classes of stuff.

    As in the field, ``gtFine/cityscapes_panoptic_val.json`` with its folder of maps, from
    cityscapesScripts or ``mim run mmodise prepare_cityscapes``, with its own ids or train ids. The
    pictures that the file names do not exist: a picture is found by its image id, in the folder of
    its city. Groups (``cargroup``) are crowds.

    Args:
        **kwargs: As for :class:`CheckedPanopticDataset`; ``data_prefix.img`` is the folder with
            cities, ``leftImg8bit/val``.
    """

    METAINFO = _METAINFO

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Make a sample of an image and its annotation, see the parent's."""
        image = raw_data_info['raw_img_info']
        name = f'{image["img_id"]}_leftImg8bit.png'
        city = name.partition('_')[0]
        return super().parse_data_info(dict(
            raw_data_info, raw_img_info=dict(image, file_name=f'{city}/{name}')))


@DATASETS.register_module()
class CityscapesSemanticDataset(SemanticDataset):
    """Cityscapes' maps of classes, in the order of :class:`CityscapesPanopticDataset`.

    Classes that are not evaluated are void, 255.

    Args:
        seg_map_suffix (str): How maps are called: ``'_gtFine_labelIds.png'``, as downloaded, or
            ``'_gtFine_labelTrainIds.png'``. Defaults to the first.
        **kwargs: As for :class:`SemanticDataset`.
    """

    METAINFO = _METAINFO

    def __init__(self, *args, img_suffix: str = '_leftImg8bit.png',
                 seg_map_suffix: str = '_gtFine_labelIds.png', **kwargs) -> None:
        super().__init__(*args, img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    def values(self) -> dict[int, int]:
        """Of each value that maps may have: its label, or ``ignore_index``."""
        ids = [*THINGS, *STUFF]
        if self.seg_map_suffix.endswith('TrainIds.png'):
            ids = list(map(sorted(ids).index, ids))
            nothing = {}
        else:
            nothing = dict.fromkeys(range(_NUM_IDS), self.ignore_index)
        labels = {value: label for label, value in enumerate(ids)}
        return {**nothing, _VOID: self.ignore_index, **labels}

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Make maps of train ids with `mim run mmodise prepare_cityscapes`.'
