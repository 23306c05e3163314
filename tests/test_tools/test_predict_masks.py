"""``predict --masks``: masks of an earlier run, under other names."""

import json
import shutil
import sys

import numpy as np
import pytest
from panopticapi.utils import rgb2id
from PIL import Image

from mmodise import ODISEInferencer
from mmodise.apis.masks_of_files import take_masks

ANNOTATIONS = 'data/shapes/annotations/panoptic_val.json'


@pytest.fixture
def run(load_tool, demo_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(demo_dir)
    predict = load_tool('predict')

    def run(*args, out='out'):
        monkeypatch.setattr(sys, 'argv', [
            'predict.py', '--device', 'cpu', '--out-dir', str(tmp_path / out), *map(str, args)])
        predict.main()
        return tmp_path / out

    return run


def ids_of(path):
    return rgb2id(np.asarray(Image.open(path)))


def test_true_masks_are_named_and_renamed(run, capsys):
    first = run('data/shapes/val', '--masks', ANNOTATIONS, '--format', 'coco-panoptic', '--vocab',
                'ball; box; star; ring', '--stuff', 'grass; sand; water; floor; carpet; sky')
    assert len(list(first.glob('*_panoptic.json'))) == 4
    # what was named, under other names: the same regions, whatever they are called by now
    args = ('data/shapes/val', '--masks', first, '--format', 'coco-panoptic', '--vocab', 'toy')
    second = run(*args, out='again')
    for path in first.glob('*_panoptic.png'):
        before, after = ids_of(path), ids_of(second / path.name)
        assert (after == 0).sum() == (before == 0).sum() and len(np.unique(after)) == len(
            np.unique(before))
        content = json.loads((second / path.with_suffix('.json').name).read_text())
        assert [category['name'] for category in content['categories']] == ['toy']
    capsys.readouterr()
    run(*args, out='again')
    assert '0 done in' in capsys.readouterr().out
    changed = next(first.glob('*_panoptic.json'))
    changed.write_text(changed.read_text() + ' ')
    run(*args, out='again')
    assert '4 done in' in capsys.readouterr().out  # for masks have changed


def test_pictures_without_masks_are_told_and_others_go_on(run, capsys, tmp_path):
    shutil.copytree('data/shapes/val', tmp_path / 'val')
    shutil.copy('data/shapes/val/000001.jpg', tmp_path / 'val' / 'other.jpg')
    (tmp_path / 'val/inner').mkdir()
    shutil.copy('data/shapes/val/000001.jpg', tmp_path / 'val/inner')
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / 'val', '--masks', ANNOTATIONS, '--vocab', 'ball', '--stuff', 'sand')
    told = capsys.readouterr().err
    assert stopped.value.code == 1 and '2 of 6 inputs failed' in told
    assert 'no picture of this name' in told and 'too' in told
    with pytest.raises(SystemExit, match='masks of none of the inputs'):
        run(tmp_path / 'val/other.jpg', '--masks', ANNOTATIONS, out='none')
    with pytest.raises(SystemExit, match='no such file of masks'):
        run(tmp_path / 'val/other.jpg', '--masks', 'none.json', out='none')


def test_from_python(demo_dir, monkeypatch, tmp_path):
    monkeypatch.chdir(demo_dir)
    inferencer = ODISEInferencer(masks=ANNOTATIONS, device='cpu')
    assert not list(inferencer.model.parameters())
    result, = inferencer('data/shapes/val/000002.jpg', 'toy')
    truth = ids_of('data/shapes/annotations/panoptic_val/000002.png')
    assert len(result.segments) == len(np.unique(truth[truth > 0]))
    for segment in result.segments:  # the true regions
        assert len(np.unique(truth[result.segment_ids == segment.id])) == 1
    with pytest.raises(ValueError, match='belong to files'):
        inferencer(result.image, 'toy')
    inferencer.cfg.model.classifier = None
    with pytest.raises(ValueError, match='no classifier'):
        take_masks(inferencer.cfg, ANNOTATIONS)
