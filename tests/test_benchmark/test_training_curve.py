import json

import pytest
from PIL import Image

from mmodise.benchmark.training_curve import draw_training_curve, read_losses


@pytest.fixture
def write_run(tmp_path):
    def write(timestamp, losses):
        folder = tmp_path / timestamp / 'vis_data'
        folder.mkdir(parents=True)
        records = [dict(step=step, loss=loss, loss_cls=loss / 2, lr=0.1, time=1.0)
                   for step, loss in losses.items()]
        records.append({'step': max(losses), 'coco_panoptic/PQ': 30.0})  # of the validation
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, records)))
    return write


def test_a_resumed_run_continues_the_curve(tmp_path, write_run):
    write_run('20260101_000000', {10: 8.0, 20: 6.0, 30: 5.0})
    write_run('20260101_000100', {30: 4.0, 40: 2.0})
    losses = read_losses(tmp_path)
    assert {step: values['loss'] for step, values in losses.items()} == {
        10: 8.0, 20: 6.0, 30: 4.0, 40: 2.0}
    assert losses[40] == dict(loss=2.0, loss_cls=1.0)


def test_a_run_from_the_start_replaces_the_curve(tmp_path, write_run):
    write_run('20260101_000000', {10: 8.0, 20: 6.0, 30: 5.0})
    write_run('20260101_000100', {10: 7.0})
    assert list(read_losses(tmp_path)) == [10]


def test_a_run_that_logged_nothing_changes_nothing(tmp_path, write_run):
    write_run('20260101_000000', {10: 8.0})
    folder = tmp_path / '20260101_000100/vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('')
    assert list(read_losses(tmp_path)) == [10]


def test_the_curve_is_a_picture(tmp_path, write_run):
    write_run('20260101_000000', {10: 8.0, 20: 6.0})
    draw_training_curve(tmp_path, tmp_path / 'curve.png')
    assert Image.open(tmp_path / 'curve.png').size == (960, 540)
