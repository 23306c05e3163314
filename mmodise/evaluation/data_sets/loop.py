"""One test of one model on several data sets, which goes on where it was stopped."""

from __future__ import annotations

import hashlib
import logging
import os.path as osp
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmdet.evaluation import DumpDetResults
from mmdet.registry import DATA_SAMPLERS
from mmengine.config import ConfigDict
from mmengine.dataset import DefaultSampler
from mmengine.device import get_device
from mmengine.dist import (
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.logging import print_log
from mmengine.registry import LOOPS
from mmengine.runner import Runner
from mmengine.runner.amp import autocast
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import Dataset

from ...utils.overlap import Behind, as_they_are
from ...version import __version__
from ..class_figures import with_novel_classes
from .entry import Entry, NotThereError, build_entry, shared_settings
from .image_records import ImageRecords
from .report import DataSetsReport


@DATA_SAMPLERS.register_module()
class PendingSampler(DefaultSampler):
    """The images of a data set that are not yet done, each once, over all processes.

    Args:
        dataset (Dataset): The data set.
        done (Sequence[int]): Places of images that are done. Defaults to ().
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

    Write it as ``test_cfg``. All data sets are checked before the first image; one of which nothing
    is there is left out, and told. What has been found of each image is kept in
    ``WORK_DIR/data_sets/NAME``; a test that was stopped goes on with the next image, with as many
    processes as there are then, if weights, model, data and metrics are the same. At the end there
    are tables and charts, see :class:`DataSetsReport`.

    Args:
        runner (Runner): The runner.
        dataloader (dict): The runner's ``test_dataloader``; its settings but ``dataset`` and
            ``sampler`` are those of all data sets.
        evaluator (object): Not read: each data set has its own.
        data_sets (Mapping[str, dict]): By the names in the tables, a ``dataset`` and its
            ``metrics``, a list, both as in any config, metrics perhaps without files, see
            :func:`build_entry`; and perhaps ``test_cfg``, settings of ``model.test_cfg`` that are
            others for this data set. One that is None is left out.
        tables (Mapping[str, Mapping[str, Sequence[str]]], optional): By title, of each data set the
            figures that are its columns. Defaults to None, one table of all there are.
        references (Mapping[str, Mapping], optional): Further rows of the tables, by what they are
            called: of each data set figures, in percent. Defaults to None.
        only (str | Sequence[str], optional): The data sets to test on. Defaults to None, all.
        fp16 (bool): As mmengine's. Defaults to False.

    Attributes:
        out_file (str, optional): Where predictions are written, ``NAME.pkl``, each data set's into
            ``NAME_DATA-SET.pkl``.

    Raises:
        FileNotFoundError: If a data set is there in part; names a file, counts what is missing.
        ValueError: If tables name data sets that are not there, or none of the data is there.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        evaluator: object = None,
        data_sets: Mapping[str, dict] | None = None,
        tables: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        references: Mapping[str, Mapping] | None = None,
        only: str | Sequence[str] | None = None,
        fp16: bool = False,
    ) -> None:
        data_sets = {name: parts for name, parts in (data_sets or {}).items() if parts}
        if not data_sets:
            raise ValueError(f'{type(self).__name__}: there are no data_sets to test on.')
        only = [only] if isinstance(only, str) else only or list(data_sets)
        unknown = set(only).difference(data_sets)
        if unknown:
            raise ValueError(f'test_cfg.only: {", ".join(sorted(unknown))} are none of the data '
                             f'sets {", ".join(data_sets)}.')
        self._settings = shared_settings(dataloader)
        super().__init__(runner, None)
        self.data_sets = {name: parts for name, parts in data_sets.items() if name in only}
        self.fp16, self.out_file = fp16, None
        self.folder = Path(runner.work_dir, 'data_sets')
        self.report = DataSetsReport(
            self.folder, runner.experiment_name.rsplit('_', 2)[0], list(data_sets), tables,
            references)

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
        entries = {name: entry for name, parts in self.data_sets.items()
                   if (entry := self._build(name, parts)) is not None}
        if not entries:
            raise ValueError(f'None of the data sets {", ".join(self.data_sets)} is there.')
        self.runner.call_hook('before_test')
        self.runner.model.eval()
        self._weights, metrics = digest_of(self.runner.model), {}
        for name in list(entries):
            figures = self._test(name, entries.pop(name))
            figures = {f'{name}/{key}': value for key, value in figures.items()}
            self.runner.call_hook('after_test_epoch', metrics=figures)
            metrics.update(figures)
        if is_main_process():
            self.report.write()
        self.runner.call_hook('after_test')
        return metrics

    def _build(self, name: str, parts: Mapping) -> Entry | None:
        out_file = []
        if self.out_file:
            stem, ending = osp.splitext(self.out_file)
            out_file = [DumpDetResults(out_file_path=f'{stem}_{name}{ending}')]
        try:
            entry = build_entry(name, parts, out_file)
        except NotThereError as error:
            print_log(f'{name} is left out: {error}', 'current', logging.WARNING)
            self.report.leave_out(name, str(error))
            return None
        entry.evaluator.dataset_meta = with_novel_classes(entry.dataset.metainfo, self._model)
        return entry

    @property
    def _model(self) -> nn.Module:
        return getattr(self.runner.model, 'module', self.runner.model)

    def _test(self, name: str, entry: Entry) -> dict:
        """Test on a data set; the main process computes its figures, and all get them."""
        self.evaluator = entry.evaluator
        records = ImageRecords(
            self.folder / name, _from_main(lambda: self._digest(name, entry)))
        done = _from_main(records.read)
        before = f', of which {len(done)} were done before' if done else ''
        print_log(f'{name}: {len(entry.dataset)} images{before}', 'current')
        records.open(get_rank())
        with self._changed(entry.test_cfg), self._shown_in(name):
            self._test_pending(name, entry, done, records)
        records.close()
        barrier()
        return _from_main(lambda: self._evaluate(name, entry, records))

    def _test_pending(
        self, name: str, entry: Entry, done: Sequence[int], records: ImageRecords
    ) -> None:
        self.dataloader = self.runner.build_dataloader(dict(
            self._settings, dataset=entry.dataset,
            sampler=dict(type='mmdet.PendingSampler', done=done)), seed=self.runner.seed)
        self.runner.visualizer.dataset_meta = entry.evaluator.dataset_meta
        self.runner.call_hook('before_test_epoch')
        places, self._seconds = iter(self.dataloader.sampler.places), [0.0, 0.0]
        with Behind(get_device()) as behind:
            for index, batch in enumerate(self.dataloader):
                outputs = self._run_iter(index, batch)
                behind(self._process, as_they_are(outputs), batch, places, records)
                self.runner.call_hook(
                    'after_test_iter', batch_idx=index, data_batch=batch, outputs=outputs)
        number = len(self.dataloader.sampler)
        if number:
            model, metrics = (seconds / number for seconds in self._seconds)
            print_log(f'{name}: {model:.3f} s an image in the model, {metrics:.3f} s in the '
                      'metrics', 'current')

    @torch.no_grad()
    def _run_iter(self, index: int, batch: dict) -> list:
        self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=batch)
        start = _now()
        with autocast(enabled=self.fp16):
            outputs = self.runner.model.test_step(batch)
        self._seconds[0] += _now() - start
        return outputs

    def _process(
        self, outputs: Sequence[dict], batch: dict, places: Iterator[int], records: ImageRecords
    ) -> None:
        """Give results to the metrics, and keep what they found; in a thread, batch by batch."""
        start = time.perf_counter()
        for sample in outputs:
            self.evaluator.process([sample], batch)
            records.add(next(places), [list(metric.results) for metric in self.evaluator.metrics])
            for metric in self.evaluator.metrics:
                metric.results.clear()
        self._seconds[1] += time.perf_counter() - start

    def _evaluate(self, name: str, entry: Entry, records: ImageRecords) -> dict:
        """Compute the figures of the records of all processes."""
        lacking = len(entry.dataset) - len(records.read())
        if lacking:
            raise ValueError(
                f'{name}: records of {lacking} of {len(entry.dataset)} images are not in '
                f'{self.folder / name}. All processes must see the same work_dir.')
        figures = {}
        for number, metric in enumerate(entry.evaluator.metrics):
            found = metric.compute_metrics(records.results(number))
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            figures.update({prefix + key: value for key, value in found.items()})
        self.report.add(name, figures, entry.evaluator)
        return figures

    def _digest(self, name: str, entry: Entry) -> str:
        """What the records depend on: weights, model, images and metrics."""
        text = repr((
            __version__, self._weights, self.runner.cfg.get('model'), self.fp16,
            bool(self.out_file), dict(self.data_sets[name]), entry.samples, entry.files))
        return hashlib.sha256(text.encode()).hexdigest()

    @contextmanager
    def _changed(self, settings: Mapping) -> Iterator[None]:
        """Change settings of how the model makes results."""
        head = getattr(self._model, 'panoptic_fusion_head', None)
        if settings and head is None:
            print_log(f'{type(self._model).__name__} has no panoptic_fusion_head: the test_cfg of '
                      'a data set has no effect.', 'current', logging.WARNING)
            settings = {}
        before = getattr(head, 'test_cfg', None)
        try:
            if settings:
                head.test_cfg = ConfigDict({**(before or {}), **settings})
            yield
        finally:
            if settings:
                head.test_cfg = before

    @contextmanager
    def _shown_in(self, name: str) -> Iterator[None]:
        """Let painted predictions go into a folder of the data set."""
        hooks = [hook for hook in self.runner.hooks if getattr(hook, 'test_out_dir', None)]
        before = [hook.test_out_dir for hook in hooks]
        for hook in hooks:
            hook.test_out_dir = osp.join(hook.test_out_dir, name)
        yield
        for hook, folder in zip(hooks, before, strict=True):
            hook.test_out_dir = folder


def digest_of(model: nn.Module) -> str:
    """A digest of what is in a model's checkpoint."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f'{name.removeprefix("module.")} {value.shape} {value.dtype}'.encode())
        digest.update(content.numpy())
    return digest.hexdigest()


def _from_main(compute: Callable[[], object]) -> object:
    """What the main process computes, in all processes."""
    shared = [compute() if is_main_process() else None]
    if get_world_size() > 1:
        broadcast_object_list(shared)
    return shared[0]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
