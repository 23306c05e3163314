"""ADE20K's full set, semantic: A-847."""

from __future__ import annotations

from importlib.resources import files

from mmdet.registry import DATASETS

from .metainfo import benchmark_metainfo
from .semantic import SemanticDataset


def _read_classes() -> dict[str, int]:
    text = files(__package__).joinpath('ade20k_847.txt').read_text(encoding='utf-8')
    pairs = (line.split(': ', 1) for line in text.splitlines())
    return {name: int(number) for number, name in pairs}


#: The 847 classes in the order of the field's labels, each with its number in the data set.
ADE20K_847 = _read_classes()


@DATASETS.register_module()
class ADE20KFullDataset(SemanticDataset):
    """ADE20K's full set of 2021 with 847 classes (A-847); all others, 65535, do not count.

    The maps are those that ``mim run mmodise prepare_ade20k_full`` writes, as other tools do:
    labels from 0, of 16 bits, 65535 for void, beside pictures that were made smaller.

    Args:
        seg_map_suffix (str): Ending of maps. Defaults to ``'.tif'``.
        ignore_index (int): The value of void. Defaults to 65535.
        **kwargs: As for :class:`SemanticDataset`.
    """

    METAINFO = benchmark_metainfo(tuple(ADE20K_847), (), 'ade20k_847')

    def __init__(self, *args, seg_map_suffix: str = '.tif', ignore_index: int = 65535,
                 **kwargs) -> None:
        super().__init__(
            *args, seg_map_suffix=seg_map_suffix, ignore_index=ignore_index, **kwargs)

    def advice(self) -> str:
        """What to do where maps are missing."""
        return 'Make them with `mim run mmodise prepare_ade20k_full`.'
