"""One test of one model on several data sets, which goes on where it was stopped."""

from __future__ import annotations

import copy
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import DefaultSampler
from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.registry import LOOPS
from mmengine.runner import Runner
from mmengine.runner.amp import autocast
from mmengine.runner.base_loop import BaseLoop
from torch.utils.data import DataLoader, Dataset

from ..class_figures import with_novel_classes
from .image_records import ImageRecords
from .report import DataSetsReport


@DATA_SAMPLERS.register_module()
class PendingSampler(DefaultSampler):
    """The pictures of a data set that are not yet done, each once, over all processes.

    Args:
        dataset (Dataset): The data set.
        done (Sequence[int]): Places of pictures that are done. Defaults to ().
    """

    def __init__(self, dataset: Dataset, done: Sequence[int] = (), **kwargs) -> None:
        super().__init__(dataset, shuffle=False, round_up=False)
        pending = sorted(set(range(len(dataset))).difference(done))
        self.places = pending[self.rank::self.world_size]

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


@LOOPS.register_module()
class DataSetsTestLoop(BaseLoop):
    """Test a model on several data sets, each with its vocabulary, test size and metrics.

    Write it as ``test_cfg``. What has been found of each picture is kept in
    ``WORK_DIR/data_sets/NAME``; a test that was stopped goes on with the next picture, if model,
    checkpoint, data and metrics are the same. A data set that is not there is left out, and told.
    At the end there are tables and charts, see :class:`DataSetsReport`.

    Args:
        runner (Runner): The runner.
        dataloader (dict): The runner's ``test_dataloader``; its settings but ``dataset`` and
            ``sampler`` are those of all data sets.
        evaluator (object): Not read: each data set has its own.
        data_sets (Mapping[str, dict]): By the names in the tables, a ``dataset`` and its
            ``metrics``, a list; both as in any config.
        tables (Mapping[str, Mapping[str, Sequence[str]]], optional): By title, of each data set the
            figures that are its columns. Defaults to None, one table of all there are.
        fp16 (bool): As mmengine's. Defaults to False.

    Raises:
        ValueError: If tables name data sets that are not there, or none of the data is there.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        evaluator: object = None,
        data_sets: Mapping[str, dict] | None = None,
        tables: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        fp16: bool = False,
    ) -> None:
        if not data_sets:
            raise ValueError(f'{type(self).__name__}: there are no data_sets to test on.')
        self._settings = {key: value for key, value in dataloader.items()
                          if key not in ('dataset', 'sampler', 'batch_sampler')}
        super().__init__(runner, None)
        self.folder = Path(runner.work_dir, 'data_sets')
        self.data_sets, self.fp16 = data_sets, fp16
        self.report = DataSetsReport(
            self.folder, runner.experiment_name.rsplit('_', 2)[0], list(data_sets), tables)

    def save_predictions(self) -> None:
        """Keep predictions, in ``data_sets/NAME/predictions``; see :class:`PredictionDump`."""
        self.data_sets = {
            name: dict(parts, metrics=[*parts['metrics'], dict(
                type='PredictionDump', out_dir=str(self.folder / name / 'predictions'))])
            for name, parts in self.data_sets.items()}

    def run(self) -> dict:
        """Test.

        Returns:
            dict: Figures of all data sets, ``NAME/PREFIX/FIGURE``.
        """
        prepared = {name: self._prepare(name, parts) for name, parts in self.data_sets.items()}
        prepared = {name: parts for name, parts in prepared.items() if parts is not None}
        if not prepared:
            raise ValueError(f'None of the data sets {", ".join(self.data_sets)} is there.')
        self.runner.call_hook('before_test')
        self.runner.model.eval()
        metrics = {}
        for name in list(prepared):
            figures = self._test(*prepared.pop(name))
            if is_main_process():
                self.report.add(name, figures, self.evaluator)
            figures = {f'{name}/{key}': value for key, value in figures.items()}
            self.runner.call_hook('after_test_epoch', metrics=figures)
            metrics.update(figures)
        if is_main_process():
            self.report.write()
        self.runner.call_hook('after_test')
        return metrics

    def _prepare(
        self, name: str, parts: Mapping
    ) -> tuple[DataLoader, Evaluator, ImageRecords] | None:
        """Build loader and metrics of a data set; read what was found before."""
        records = ImageRecords(self.folder / name, get_rank(), self._digest(parts))
        done = [place for places in all_gather_object(list(records.by_place)) for place in places]
        try:
            evaluator = Evaluator(copy.deepcopy(parts['metrics']))
            loader = self.runner.build_dataloader(dict(
                copy.deepcopy(self._settings), dataset=copy.deepcopy(parts['dataset']),
                sampler=dict(type='mmdet.PendingSampler', done=done)), seed=self.runner.seed)
        except FileNotFoundError as error:
            print_log(f'{name} is left out: {error}', 'current', logging.WARNING)
            self.report.leave_out(name, str(error))
            records.close()
            return None
        evaluator.dataset_meta = with_novel_classes(
            loader.dataset.metainfo, self.runner.model)
        before = f', of which {len(set(done))} were done before' if done else ''
        print_log(f'{name}: {len(loader.dataset)} pictures{before}', 'current')
        return loader, evaluator, records

    def _test(self, loader: DataLoader, evaluator: Evaluator, records: ImageRecords) -> dict:
        self.dataloader, self.evaluator = loader, evaluator
        self.runner.visualizer.dataset_meta = evaluator.dataset_meta
        self.runner.call_hook('before_test_epoch')
        places = iter(loader.sampler.places)
        for index, batch in enumerate(loader):
            self._run_iter(index, batch, places, records)
        records.close()
        return self._evaluate(records)

    @torch.no_grad()
    def _run_iter(
        self, index: int, batch: dict, places: Iterator[int], records: ImageRecords
    ) -> None:
        self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=batch)
        with autocast(enabled=self.fp16):
            outputs = self.runner.model.test_step(batch)
        for sample in outputs:
            self.evaluator.process([sample], batch)
            records.add(next(places), [list(metric.results) for metric in self.evaluator.metrics])
            for metric in self.evaluator.metrics:
                metric.results.clear()
        self.runner.call_hook(
            'after_test_iter', batch_idx=index, data_batch=batch, outputs=outputs)

    def _evaluate(self, records: ImageRecords) -> dict:
        """Compute the figures in the main process, of the records of all processes."""
        found = {place: record for part in all_gather_object(records.by_place)
                 for place, record in part.items()}
        figures = {}
        if is_main_process():
            for number, metric in enumerate(self.evaluator.metrics):
                results = [result for place in sorted(found) for result in found[place][number]]
                prefix = f'{metric.prefix}/' if metric.prefix else ''
                figures.update({
                    prefix + key: value for key, value in metric.compute_metrics(results).items()})
        shared = [figures]
        if get_world_size() > 1:
            broadcast_object_list(shared)
        return shared[0]

    def _digest(self, parts: Mapping) -> str:
        """What the records depend on: model, checkpoint, data and metrics."""
        checkpoint = self.runner._load_from
        state = os.stat(checkpoint) if checkpoint and os.path.isfile(checkpoint) else None
        text = repr((
            self.runner.cfg.get('model'), str(checkpoint),
            state and (state.st_size, state.st_mtime_ns), self.fp16, dict(parts)))
        return hashlib.sha256(text.encode()).hexdigest()
