"""Trees as the labelling tools write them, with right answers."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from .conftest import convert

TREES = Path(__file__).parents[4] / 'shared/trees'
OPEN = sorted(TREES.glob('*/own_data')) or [None]


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
@pytest.mark.parametrize('tool', ['cvat', 'roboflow', 'labelme', 'label_studio'])
@pytest.mark.parametrize('tree', OPEN, ids=str)
def test_segments_are_the_answers(tree, tool, tmp_path):
    answers = json.loads((tree / 'answers.json').read_text())['tools'][tool]
    root = shutil.copytree(tree / tool, tmp_path / tool)
    found = convert(root, '--stuff', 'floor; wall')
    assert set(found.made.things + found.made.stuff) == set(answers['classes'])
    assert set(found.pictures) == {item['file'] for item in answers['images']}
    for item in answers['images']:
        picture = found.pictures[item['file']]
        want = [(i['name'], i['visible_area']) for i in item['instances'] if i['visible_area']]
        # Circles are of other pixels along the outline by other rasterizers.
        tolerance = 30 if tool == 'labelme' else 0
        got = sorted(segment[:2] for segment in picture.segments)
        assert Counter(name for name, _ in got) == Counter(name for name, _ in want)
        for (_, area), (_, expected) in zip(got, sorted(want), strict=True):
            assert abs(area - expected) <= tolerance
        assert abs(picture.void - item['uncovered']) <= tolerance
        boxes = [info['bbox'] for info in picture.infos]
        for i in item['instances']:
            if i['visible_area'] == i['area'] and i['name'] not in ('floor', 'wall'):
                near = 3 if tool == 'labelme' else 0
                assert any(max(map(abs, np.subtract(box, i['bbox']))) <= near for box in boxes)
        assert not any(iscrowd for _, _, iscrowd in picture.segments)
        assert list(picture.size) == item['size']
        split = {'train': 'train', 'valid': 'val', 'test': 'test'}.get(item['split'])
        assert split is None or picture.split == split


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
@pytest.mark.parametrize('name', ['cityscapes', 'coco_panoptic'])
def test_data_sets_of_the_field(name, tmp_path):
    root = shutil.copytree(TREES / 'open' / name, tmp_path / name)
    images = json.loads((root / 'answers.json').read_text())['images']
    (root / 'answers.json').unlink()
    found = convert(root)
    answers = {item['file']: item for item in images if item.get('segments')}
    compared = answers.keys() & found.pictures.keys()
    assert len(compared) > 2 and len(compared) == len(found.pictures)
    for file in compared:
        want = [(s['name'], s['area'], s['iscrowd']) for s in answers[file]['segments']]
        assert sorted(found.pictures[file].segments) == sorted(want)
        assert found.pictures[file].void == answers[file]['panoptic_void']
