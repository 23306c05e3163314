"""What the timing of the data loading counts; no test looks at how long it took."""

import json
import time
from pathlib import Path

import pytest
from PIL import Image

from mmodise.benchmark.loading import TimedStep, pipelines

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture
def tool(load_tool, demo_dir, monkeypatch):
    monkeypatch.chdir(demo_dir)
    return load_tool('benchmark_loading')


def test_each_step_of_each_image_and_what_workers_deliver(tool, tmp_path, capsys):
    stem = tmp_path / 'new/loading'
    tool.main([str(CONFIG), '--images', '6', '--workers', '1', '2', '--out', str(stem)])
    written = json.loads(stem.with_suffix('.json').read_text())
    assert list(written['steps_seconds']) == [
        'LoadImageFromFile', 'LoadPanopticAnnotations', 'PhotoMetricDistortion', 'RandomFlip',
        'PackDetInputs']
    assert {len(seconds) for seconds in written['steps_seconds'].values()} == {6}
    assert list(written['images_a_second']) == ['1', '2']
    assert all(rate > 0 for rate in written['images_a_second'].values())
    with Image.open(stem.with_suffix('.png')) as picture:
        picture.load()
    out, progress = capsys.readouterr()
    assert '| PhotoMetricDistortion ' in out and '2 workers: ' in out
    assert '22/22' in progress  # 6, and twice two batches of 4


def test_a_step_is_charged_with_its_own_time():
    seconds = []
    step = TimedStep(lambda results: time.sleep(0.05) or results | dict(seen=True), seconds)
    assert step(dict(img=1)) == dict(img=1, seen=True)
    assert len(seconds) == 1 and seconds[0] >= 0.05


def test_pipelines_of_data_sets_within_data_sets():
    class Dataset:
        def __init__(self, **parts):
            vars(self).update(parts)

    inner = [Dataset(pipeline=1), Dataset(dataset=Dataset(pipeline=2))]
    assert list(pipelines(Dataset(datasets=inner))) == [1, 2]


def test_a_data_set_that_ends_too_early(tool):
    with pytest.raises(SystemExit, match='images end with batch 1, before the workers are at'):
        tool.main([str(CONFIG), '--images', '2', '--cfg-options',
                   'train_dataloader.sampler.type=DefaultSampler'])


def test_a_misspelt_option(tool):
    with pytest.raises(SystemExit, match=r'train_dataloader\.batch_sise: did you mean batch_size'):
        tool.main([str(CONFIG), '--cfg-options', 'train_dataloader.batch_sise=2'])
