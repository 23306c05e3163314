"""LVIS v1."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from mmdet.datasets import LVISV1Dataset
from mmdet.registry import DATASETS

from .instances import FederatedInstanceDataset
from .metainfo import benchmark_metainfo

_NAMES = tuple(LVISV1Dataset.METAINFO['classes'])


@DATASETS.register_module()
class LVISBenchmark(FederatedInstanceDataset):
    """LVIS v1 with 1203 classes, without the package ``lvis``.

    Pictures are those of COCO: ``data_prefix.img`` is the folder with ``train2017`` and
    ``val2017``, and the end of ``coco_url`` says in which of them a picture is; the images of
    ``lvis_v1_val.json`` are in both. The metainfo gets ``frequencies``, of each class ``'r'``
    (rare), ``'c'`` (common) or ``'f'`` (frequent).

    Args:
        **kwargs: As for :class:`FederatedInstanceDataset`.
    """

    METAINFO = dict(benchmark_metainfo(_NAMES, (), 'lvis'), palette=None)

    def file_name(self, image: Mapping) -> str:
        """The end of ``coco_url``, such as ``train2017/000000391895.jpg``."""
        if 'coco_url' not in image:
            raise ValueError(f"{self.ann_file}: image {image['id']} has no 'coco_url'. Is it a "
                             'file of LVIS v1?')
        return '/'.join(urlsplit(image['coco_url']).path.split('/')[-2:])

    def _take_categories(self, categories: Sequence[Mapping]) -> None:
        super()._take_categories(categories)
        self._metainfo['frequencies'] = tuple(entry['frequency'] for entry in categories)
