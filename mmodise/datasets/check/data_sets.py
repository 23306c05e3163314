"""Which data sets there are to check: those of a config, or a folder with an annotation file."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from mmdet.datasets import CocoPanopticDataset
from mmdet.registry import DATASETS
from mmengine.config import Config

from ..checked_panoptic import CheckedPanopticDataset
from ..panoptic.annotation_file import PanopticFile
from ..panoptic.classes import ClassMatch
from ..panoptic.entries import read_flag
from ..panoptic.findings import Findings

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass
class NamedSet:
    """A data set that was not loaded.

    Args:
        dataset (CheckedPanopticDataset): Knows its files and its metainfo.
        roles (list[str]): What it is for: ``'train'``, ``'val'``, ``'test'``.
    """

    dataset: CheckedPanopticDataset
    roles: list[str]

    @property
    def name(self) -> str:
        """How the report calls it."""
        return ' and '.join(self.roles)


class AnyClassesDataset(CheckedPanopticDataset):
    """Its classes are the categories of its annotation file, things first."""

    METAINFO: dict = {}

    def join(self, file: PanopticFile, findings: Findings) -> tuple[ClassMatch, list[Hashable]]:
        """As the parent's; who does not say what a thing is has things only, and is told."""
        flags = {c['name'].strip(): read_flag(c.get('isthing')) for c in file.categories}
        for name, flag in flags.items():
            if flag is None:
                findings.warning(
                    "categories without an 'isthing' of 0 or 1", repr(name), 'They are taken for '
                    'things; in a config the metainfo says it.')
        things = tuple(name for name, flag in flags.items() if flag != 0)
        stuff = tuple(name for name, flag in flags.items() if flag == 0)
        self._metainfo = dict(
            classes=things + stuff, thing_classes=things, stuff_classes=stuff)
        return super().join(file, findings)


def configured_sets(config: Config) -> list[NamedSet]:
    """The data sets that a config trains, validates and tests with, each once.

    Raises:
        ValueError: If there is none, or one of another kind than mmdet's ``CocoPanopticDataset``.
    """
    sets: dict[str, NamedSet] = {}
    for loader in _LOADERS:
        role = loader.partition('_')[0]
        for settings in _leaves((config.get(loader) or {}).get('dataset')):
            dataset = _build(settings, loader)
            files = repr((dataset.ann_file, dataset.data_prefix, dataset.caption_file,
                          dataset.metainfo))
            roles = sets.setdefault(files, NamedSet(dataset, [])).roles
            if role not in roles:
                roles.append(role)
    if not sets:
        raise ValueError(f'{config.filename} names no data set: it has none of {_LOADERS}.')
    return list(sets.values())


def folder_set(img_dir: str, ann_file: str, seg_dir: str | None) -> NamedSet:
    """The data set of a folder and an annotation file.

    Args:
        img_dir (str): Where the ``file_name`` of images starts.
        ann_file (str): A JSON file in COCO's panoptic layout.
        seg_dir (str | None): Where the ``file_name`` of maps starts; None if there are none.
    """
    prefix = dict(img=img_dir, **({'seg': seg_dir} if seg_dir else {}))
    return NamedSet(AnyClassesDataset(
        ann_file=ann_file, data_prefix=prefix, pipeline=[], lazy_init=True), ['data'])


def _leaves(settings: Mapping | None) -> Iterator[Mapping]:
    """Settings of the data sets in wrappers, such as mmengine's ``ConcatDataset``."""
    if not settings:
        return
    inner = [*settings.get('datasets', ()), settings.get('dataset')]
    if not any(inner):
        yield settings
    for part in filter(None, inner):
        yield from _leaves(part)


def _build(settings: Mapping, loader: str) -> CheckedPanopticDataset:
    settings = dict(settings)
    kind = settings.pop('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if kind is None or not issubclass(kind, CocoPanopticDataset):
        raise ValueError(
            f'{loader} has a data set of type {getattr(kind, "__name__", kind)}, which is not '
            "checked: only those in COCO's panoptic layout are, CheckedPanopticDataset and what "
            'is made from it.')
    if not issubclass(kind, CheckedPanopticDataset):  # mmdet's own: the same files
        settings.setdefault('metainfo', kind.METAINFO)
        kind = CheckedPanopticDataset
    return kind(**{**settings, 'pipeline': [], 'lazy_init': True})
