import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmodise.benchmark.demo_pictures import ground_truth
from mmodise.benchmark.demo_run import is_unfinished
from mmodise.datasets import ShapesPanopticDataset
from mmodise.datasets.shapes_world.writer import make_missing

TOOLS = Path(__file__).parents[2] / 'tools'
IN_PROCESS = [f'{split}_dataloader.{option}' for split in ('train', 'test')
              for option in ('num_workers=0', 'persistent_workers=False')]


@pytest.fixture(scope='module')
def val_set(demo_dir):
    root = demo_dir / 'data/shapes'
    return ShapesPanopticDataset(
        data_root=str(root), ann_file='annotations/panoptic_val.json', pipeline=[],
        data_prefix=dict(img='val/', seg='annotations/panoptic_val/'), test_mode=True)


def run_demo(folder, work_dir, max_iters):
    command = [
        sys.executable, TOOLS / 'demo.py', '--work-dir', work_dir, '--max-iters', str(max_iters),
        '--cfg-options', *IN_PROCESS, 'train_dataloader.batch_size=2']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_demo_writes_results_and_resumes(demo_dir, tmp_path):
    work_dir = tmp_path / 'demo'
    run_demo(demo_dir, work_dir, max_iters=2)
    printed = run_demo(demo_dir, work_dir, max_iters=3)  # as if interrupted after two
    assert 'iteration 2 of 3: going on from there' in printed
    assert str(work_dir) in printed.splitlines()[-1]

    results = json.loads((work_dir / 'results.json').read_text(), parse_constant=pytest.fail)
    groups = ('all', 'base', 'novel')
    assert set(results) == {*groups, *(f'{group}_without_clip' for group in groups)}
    assert all(set(values) == {'PQ', 'SQ', 'RQ'} for values in results.values())
    for group in groups:
        row, = re.findall(rf'\| {group} +\|(.*)', printed)
        shown = [float(cell) for cell in row.split('|')[:6]]
        expected = [*results[group].values(), *results[f'{group}_without_clip'].values()]
        assert shown == pytest.approx(expected, abs=0.051)

    scalars = [json.loads(line) for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
               for line in path.read_text().splitlines()]
    assert [record['step'] for record in scalars if 'loss' in record] == [1, 2, 3]
    assert torch.load(work_dir / 'iter_3.pth', weights_only=False)['meta']['iter'] == 3
    weights = torch.load(work_dir / 'weights.pth', weights_only=False)
    assert set(weights) == {'meta', 'state_dict'}
    size = 4 * sum(value.numel() for value in weights['state_dict'].values())
    assert (work_dir / 'weights.pth').stat().st_size == pytest.approx(size, rel=0.02)
    assert list((work_dir / 'pictures').iterdir())
    # three columns of 512 and four gaps of 12
    assert Image.open(work_dir / 'overview.png').width == 3 * 512 + 4 * 12
    assert Image.open(work_dir / 'training_curve.png').size == (960, 540)


def test_a_finished_demo_starts_anew(tmp_path, capsys):
    assert not is_unfinished(tmp_path, 10)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_10.pth'))
    assert not is_unfinished(tmp_path, 10)
    assert 'training anew' in capsys.readouterr().out
    assert is_unfinished(tmp_path, 11)


def test_data_that_is_there_is_left_alone(demo_dir, capsys):
    before = sorted((demo_dir / 'data/shapes/val').iterdir())
    make_missing(demo_dir / 'data/shapes')
    assert len(before) == 4 and sorted((demo_dir / 'data/shapes/val').iterdir()) == before
    assert capsys.readouterr().out == ''


def test_ground_truth_is_that_of_the_annotations(val_set, demo_dir):
    info = val_set.get_data_info(0)
    truth = ground_truth(info)
    content = json.loads((demo_dir / 'data/shapes/annotations/panoptic_val.json').read_text())
    names = val_set.metainfo['classes']
    category_names = {category['id']: category['name'] for category in content['categories']}
    segments = content['annotations'][0]['segments_info']
    expected = sorted((category_names[s['category_id']], s['area']) for s in segments)
    ids, areas = np.unique(truth, return_counts=True)
    found = sorted((names[i % 1000], area) for i, area in zip(ids.tolist(), areas, strict=True))
    assert found == expected
    assert all((i >= 1000) == (i % 1000 < 16) for i in ids.tolist()), 'things have instances'
