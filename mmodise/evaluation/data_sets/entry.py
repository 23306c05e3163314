"""One of the data sets of a test: whether it is there, and its parts, checked before any image."""

from __future__ import annotations

import copy
import inspect
import os
import os.path as osp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mmdet.registry import DATASETS, METRICS
from mmengine.evaluator import Evaluator
from torch.utils.data import Dataset

from ...datasets.panoptic import FolderListings
from ...datasets.panoptic.file_names import refuse_missing
from ...utils.spelling import refuse_misspelt

_TRUTH = ('ann_file', 'seg_prefix', 'maps')  # arguments of metrics


class NotThereError(FileNotFoundError):
    """A data set of which nothing is there."""


class Entry(NamedTuple):
    """A data set, with what is evaluated on it.

    Args:
        dataset (Dataset): The data set.
        evaluator (Evaluator): Its metrics.
        samples (Sequence[dict]): ``img_id`` and ``img_path`` of each image.
        test_cfg (Mapping): Settings of ``model.test_cfg`` that are others for this data set.
        files (Sequence[tuple]): Files with the truth, each with its size and time of change.
    """

    dataset: Dataset
    evaluator: Evaluator
    samples: Sequence[dict]
    test_cfg: Mapping
    files: Sequence[tuple]


def build_entry(name: str, parts: Mapping, more_metrics: Sequence = ()) -> Entry:
    """Build a data set and its metrics; look for all that they will read.

    A metric that is given neither ``ann_file``, ``seg_prefix`` nor ``maps`` gets the files of the
    data set, unless that is one of maps of classes, whose samples bring them.

    Args:
        name (str): What the data set is called.
        parts (Mapping): ``dataset``, ``metrics``, and perhaps ``test_cfg``.
        more_metrics (Sequence): More of them. Defaults to ().

    Raises:
        NotThereError: If none of the files with the truth is there.
        FileNotFoundError: If some are, and others, or images, are not; counts them.
        ValueError: If a part is missing or misspelt, or files are not valid or do not go together.
    """
    refuse_misspelt(f'data_sets.{name}', parts, ('dataset', 'metrics', 'test_cfg'))
    for key in ('dataset', 'metrics'):
        if not parts.get(key):
            raise ValueError(f"data_sets.{name} has no {key}; expected a 'dataset' and its "
                             "'metrics', a list.")
    try:
        return _build(parts, more_metrics)
    except FileNotFoundError as error:
        there = [path for path in _truth_paths(parts) if osp.exists(path)]
        if not there:
            raise NotThereError(error) from error
        raise FileNotFoundError(
            f'{name} is there in part, such as {there[0]}: {error} `mim run mmodise prepare_...` '
            'prepares and checks data sets; one is left out with --cfg-options '
            f'"test_cfg.data_sets.{name}=None".') from error


def _build(parts: Mapping, more_metrics: Sequence) -> Entry:
    dataset = DATASETS.build(copy.deepcopy(parts['dataset']))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    metrics = [complete_metric(metric, dataset) for metric in copy.deepcopy(parts['metrics'])]
    entry = Entry(dataset, Evaluator([*metrics, *more_metrics]), list(_samples(dataset)),
                  dict(parts.get('test_cfg') or {}), _stamps(_truth_paths(parts)))
    _look_for_images(entry)
    for metric in entry.evaluator.metrics:
        if hasattr(metric, 'check_images'):
            metric.check_images(entry.samples)
    return entry


def shared_settings(dataloader: Mapping) -> dict:
    """The settings of a data loader that all data sets of a test have."""
    return {key: value for key, value in dataloader.items()
            if key not in ('dataset', 'sampler', 'batch_sampler')}


def complete_metric(metric: Mapping, dataset: Dataset) -> dict:
    """The config of a metric, with the files of a data set if it has none."""
    prefix, taken = getattr(dataset, 'data_prefix', {}), _arguments(metric)
    if ('ann_file' not in taken or set(_TRUTH).intersection(metric)
            or not getattr(dataset, 'ann_file', None) or 'seg_map_path' in prefix):
        return dict(metric)
    files = dict(ann_file=dataset.ann_file)
    if 'seg' in prefix and 'seg_prefix' in taken:
        files.update(seg_prefix=prefix['seg'])
    return dict(metric, **files)


def _arguments(metric: Mapping) -> set[str]:
    kind = METRICS.get(metric['type'])
    return {key for part in getattr(kind, '__mro__', ())
            for key in inspect.signature(part.__init__).parameters}


def _samples(dataset: Dataset) -> Iterator[dict]:
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        yield dict(img_id=info.get('img_id'), img_path=info['img_path'])


def _look_for_images(entry: Entry) -> None:
    """Look for the images, on a local disk."""
    if getattr(entry.dataset, 'backend_args', None):
        return
    listings = FolderListings()
    paths = [sample['img_path'] for sample in entry.samples]
    missing = [path for path in paths if not listings.has(path)]
    refuse_missing(missing, len(paths), 'images', osp.dirname(paths[0]) if paths else '')


def _stamps(paths: Iterable[str]) -> list[tuple]:
    states = {path: os.stat(path) for path in paths if osp.isfile(path)}
    return [(path, state.st_size, state.st_mtime_ns) for path, state in states.items()]


def _truth_paths(parts: Mapping) -> Iterator[str]:
    """Where the truth is expected, as configured, and as a data set finds it."""
    config = parts['dataset']
    yield from _paths_of(config, config.get('data_root'))
    for metric in parts['metrics']:
        yield from filter(None, (metric.get('ann_file'), metric.get('seg_prefix')))
        maps = metric.get('maps') or {}
        yield from _paths_of(maps, maps.get('data_root'))
    try:
        found = DATASETS.build(dict(copy.deepcopy(config), lazy_init=True))
    except (FileNotFoundError, TypeError):
        return
    yield from _paths_of(vars(found), None)


def _paths_of(config: Mapping, root: str | None) -> Iterator[str]:
    prefix = config.get('data_prefix') or {}
    for path in (config.get('ann_file'), prefix.get('seg'), prefix.get('seg_map_path')):
        if path:
            yield osp.join(root or '', path)
