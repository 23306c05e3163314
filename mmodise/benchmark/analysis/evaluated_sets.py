"""The data sets that a config tests on, with their metrics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import Dataset

from ...evaluation.data_sets.entry import complete_metric, shared_settings
from ...evaluation.prediction_dump import FILE_NAME


class EvaluatedSet(NamedTuple):
    """A data set of a test.

    Args:
        name (str): What it is called.
        loader (dict): Settings of its data loader.
        metrics (list[dict]): Settings of its metrics.
        test_cfg (dict): Settings of ``model.test_cfg`` that are others for it. Defaults to none.
    """

    name: str
    loader: dict
    metrics: list[dict]
    test_cfg: Mapping = {}

    def complete_metrics(self, dataset: Dataset) -> list[dict]:
        """Settings of its metrics, with the data set's files where they have none."""
        return [complete_metric(metric, dataset) for metric in copy.deepcopy(self.metrics)]

    def put_into(self, cfg: Config) -> None:
        """Let a config test on this data set alone."""
        dataset = Runner.build_dataloader(self.loader).dataset
        cfg.test_dataloader, cfg.test_evaluator = self.loader, self.complete_metrics(dataset)
        cfg.test_cfg = dict(type='TestLoop')
        if self.test_cfg:
            cfg.model.test_cfg = {**cfg.model.get('test_cfg', {}), **self.test_cfg}


def evaluated_sets(cfg: Config, name: str | None = None) -> list[EvaluatedSet]:
    """The data sets of a config.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``, or with ``data_sets`` in
            ``test_cfg``.
        name (str, optional): The one that is meant. Defaults to None, all.

    Raises:
        ValueError: If there is none of this name, or none at all.
    """
    several = {each: parts for each, parts in
               ((cfg.get('test_cfg') or {}).get('data_sets') or {}).items() if parts}
    if cfg.get('test_dataloader') is None:
        raise ValueError(f'{cfg.filename} has no test_dataloader: it tests on nothing.')
    loader = dict(cfg.test_dataloader)
    if not several:
        metrics = cfg.test_evaluator
        metrics = metrics if isinstance(metrics, list | tuple) else [metrics]
        found = [EvaluatedSet(Path(cfg.filename or 'test').stem, loader, list(metrics))]
        if name is not None:
            raise ValueError(f'{cfg.filename} tests on one data set, which has no name: leave '
                             f'--data-set {name} out.')
        return found
    sampler = dict(type='DefaultSampler', shuffle=False)
    settings = shared_settings(loader)
    found = [EvaluatedSet(each, dict(settings, dataset=parts['dataset'], sampler=sampler),
                          list(parts['metrics']), parts.get('test_cfg') or {})
             for each, parts in several.items() if name in (None, each)]
    if not found:
        raise ValueError(f'{cfg.filename} does not test on {name!r}, but on {", ".join(several)}.')
    return found


def find_predictions(sets: list[EvaluatedSet], folder: Path) -> dict[str, Path]:
    """Folders of predictions by the names of data sets, in what a person means by ``folder``.

    It is the work folder of a test on several data sets; or for one data set, the folder of the
    predictions, of the test, or of several tests, the last of which is taken.

    Raises:
        FileNotFoundError: If there are no predictions.
    """
    found = {each.name: path for each in sets
             if _has_predictions(path := folder / 'data_sets' / each.name / 'predictions')}
    if not found and len(sets) == 1:
        places = [folder, folder / 'predictions', *sorted(folder.glob('*/predictions'))[::-1]]
        path = next(filter(_has_predictions, places), folder)
        found = {sets[0].name: path} if path.is_dir() else {}
    if not found:
        raise FileNotFoundError(
            f'{folder} has no predictions of {", ".join(each.name for each in sets)}. Test with '
            '--save-predictions, and give its work folder.')
    return found


def _has_predictions(path: Path) -> bool:
    return (path / FILE_NAME).is_file()

