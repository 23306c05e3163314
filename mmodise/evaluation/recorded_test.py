"""A test whose details are kept: figures of classes, and predictions if they are asked for."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from .class_figures import ClassFigures, with_novel_classes
from .data_sets import DataSetsTestLoop
from .prediction_dump import PredictionDump


def run_test(runner: Runner, save_predictions: bool = False) -> dict[str, float]:
    """Test a model.

    Into the folder of the test, ``WORK_DIR/TIMESTAMP``, go ``classes.csv`` with charts, as far as
    the metrics have figures of classes, and ``predictions``. A test on several data sets has its
    own places, see :class:`DataSetsTestLoop`.

    Args:
        runner (Runner): With model, data and metrics.
        save_predictions (bool): Whether predictions are kept, see :class:`PredictionDump`. Defaults
            to False.

    Returns:
        dict[str, float]: The figures.
    """
    loop = runner.test_loop
    if isinstance(loop, DataSetsTestLoop):
        if save_predictions:
            loop.save_predictions()
        return runner.test()
    evaluator, folder = loop.evaluator, Path(runner.log_dir)
    metainfo = with_novel_classes(evaluator.dataset_meta or {}, runner.model)
    if save_predictions:
        dump = PredictionDump(folder / 'predictions')
        dump.dataset_meta = metainfo
        evaluator.metrics.append(dump)
    figures = runner.test()
    if is_main_process():
        ClassFigures.of(evaluator.metrics, metainfo).write(folder, runner.experiment_name)
    return figures
