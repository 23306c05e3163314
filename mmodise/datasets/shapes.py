"""The embedded panoptic data set, in COCO's layout."""

from pathlib import Path

from mmdet.registry import DATASETS

from .checked_panoptic import CheckedPanopticDataset
from .panoptic import ClassMatch, Findings, PanopticFile
from .shapes_world import (
    BASE_STUFF,
    BASE_THINGS,
    NOVEL_CLASSES,
    STUFF,
    THINGS,
    palette,
)


def shapes_metainfo(things: tuple[str, ...], stuff: tuple[str, ...]) -> dict:
    """Meta information of the shapes data set for some of its classes.

    Args:
        things (tuple[str]): Display names out of ``shapes_world.THINGS``.
        stuff (tuple[str]): Display names out of ``shapes_world.STUFF``.

    Returns:
        dict: ``classes`` (display names, things first), ``thing_classes`` and ``stuff_classes``
        (a class is a string ``'name, synonym, ...'``), ``novel_classes`` (those of ``classes``
        that are never trained), ``palette`` (RGB a class).
    """
    classes = things + stuff
    return dict(
        classes=classes,
        thing_classes=tuple(', '.join(THINGS[name]) for name in things),
        stuff_classes=tuple(', '.join(STUFF[name]) for name in stuff),
        novel_classes=tuple(name for name in classes if name in NOVEL_CLASSES),
        palette=palette(classes))


_METAINFO = {
    'all': shapes_metainfo(tuple(THINGS), tuple(STUFF)),
    'base': shapes_metainfo(BASE_THINGS, BASE_STUFF),
}


@DATASETS.register_module()
class ShapesPanopticDataset(CheckedPanopticDataset):
    """Toys on textured ground, drawn by ``mim run mmodise make_shapes``.

    24 classes: 16 things (four shapes in four attributes) and 8 stuff classes. Six of them, the
    novel ones, are in no training image. With ``return_classes=True`` each sample carries its
    vocabulary, synonyms included, in ``text`` (things) and ``stuff_text``.

    Args:
        split (str): ``'all'`` for all 24 classes, ``'base'`` for the 18 that the training
            annotations know. Defaults to ``'all'``.
        metainfo (dict, optional): Replaces entries of the meta information. Defaults to None.
        with_regions (bool): Whether samples have ``regions``, of each segment its box with the
            names of its class, for :class:`DrawRegionWords`. Defaults to False.
        **kwargs: As for :class:`CheckedPanopticDataset`.

    Raises:
        ValueError: If ``split`` is neither, or if the classes are not the categories of the
            annotation file.
        FileNotFoundError: If the annotation file is not there, or images or annotation maps.
    """

    METAINFO = _METAINFO['all']

    def __init__(
        self, split: str = 'all', metainfo: dict | None = None, with_regions: bool = False,
        **kwargs,
    ) -> None:
        if split not in _METAINFO:
            raise ValueError(f'split={split!r} of ShapesPanopticDataset: expected one of '
                             f'{tuple(_METAINFO)}.')
        self.with_regions = with_regions
        super().__init__(metainfo={**_METAINFO[split], **(metainfo or {})}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load the annotations, if they are there."""
        if not Path(self.ann_file).is_file():
            raise FileNotFoundError(
                f'The annotation file {self.ann_file} of the shapes data set is not there. Draw '
                'the data set with `mim run mmodise make_shapes data/shapes`, or set data_root '
                'to where it is.')
        return super().load_data_list()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """As the parent's, with ``regions`` if they are asked for."""
        info = super().parse_data_info(raw_data_info)
        if self.with_regions:
            info['regions'] = [
                self._region(segment) for segment in raw_data_info['raw_ann_info']]
        return info

    def _region(self, segment: dict) -> dict:
        name = self._metainfo['classes'][self.cat2label[segment['category_id']]]
        left, top, width, height = segment['bbox']
        return dict(phrase=name, phrases=(THINGS | STUFF)[name],
                    bbox=[left, top, left + width, top + height])

    def _match_classes(self, file: PanopticFile, findings: Findings) -> ClassMatch:
        """Refuse other categories than the classes: one of the two splits is not the right one."""
        found, classes = {c['name'] for c in file.categories}, tuple(self._metainfo['classes'])
        if found != set(classes):
            raise ValueError(
                f'{self.ann_file} has {len(found)} categories {tuple(sorted(found))}, and the data '
                f'set {len(classes)} classes {classes}: they must be the same. Training annotations'
                " go with split='base', validation with split='all'.")
        return super()._match_classes(file, findings)
