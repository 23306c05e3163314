"""What the timing of metrics writes; no test looks at how long it took."""

import json
import tempfile
from pathlib import Path

import pytest

from mmodise.benchmark.evaluation_costs import DrawnSet, table


def test_each_metric(load_tool, tmp_path, capsys):
    load_tool('benchmark_evaluation').main([
        '--classes', '7', '300', '--images', '1', '--repeats', '1', '--matmul-size', '64',
        '--out', str(tmp_path / 'new/costs')])
    written = json.loads((tmp_path / 'new/costs.json').read_text())
    assert list(written['metrics_seconds']) == ['7', '300']
    assert list(written['metrics_seconds']['300']) == ['PQ', 'AP', 'mIoU', 'recall']
    assert written['model_seconds'] is None, 'no model was timed'
    assert "of the model's time" not in capsys.readouterr().out


def test_results_are_mostly_right(tmp_path):
    drawn = DrawnSet(tmp_path / 'set', 10, images=3, size=(240, 320))
    metrics = drawn.metrics()
    for image in range(3):
        for metric in metrics.values():
            metric.process({}, [drawn.result(image)])
    figures = {name: metric.evaluate(3) for name, metric in metrics.items()}
    assert 10 < figures['PQ']['coco_panoptic/PQ'] < 90
    assert 30 < figures['mIoU']['semantic/mIoU'] < 90
    assert 60 < figures['recall']['class_agnostic/recall50'] < 100
    assert figures['AP']['coco/segm_mAP_50'] > 0


def test_shares_are_of_the_sum():
    text = table({133: dict(PQ=0.25, AP=0.5)}, whole=10)
    assert '250.0' in text and '750.0' in text and '7.50 %' in text


def test_mistakes(load_tool, tmp_path):
    with pytest.raises(SystemExit):
        load_tool('benchmark_evaluation').main(['--images', '0'])
    with pytest.raises(SystemExit, match='nowhere'), tempfile.TemporaryDirectory() as folder:
        load_tool('benchmark_evaluation').main([
            str(Path(folder, 'nowhere.py')), '--classes', '3', '--images', '1', '--repeats', '1',
            '--matmul-size', '64', '--out', str(tmp_path / 'x')])
