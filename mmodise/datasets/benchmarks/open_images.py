"""Open Images V6 with masks."""

from collections.abc import Mapping, Sequence

from mmdet.registry import DATASETS

from .instances import FederatedInstanceDataset


@DATASETS.register_module()
class OpenImagesSegmentation(FederatedInstanceDataset):
    """Open Images V6 with masks, as ``mim run mmodise prepare_open_images`` writes it.

    The classes are those of the file, 350 in the whole data set. Groups are ignored regions of
    their class. With ``validation_expanded.json`` an instance is also one of the classes that it is
    a kind of, as the challenge evaluates.

    Args:
        **kwargs: As for :class:`FederatedInstanceDataset`.
    """

    METAINFO = dict(classes=(), palette=None)

    def _take_categories(self, categories: Sequence[Mapping]) -> None:
        names = tuple(category['name'] for category in categories)
        self._metainfo.update(classes=names, thing_classes=names, stuff_classes=())
        super()._take_categories(categories)
