import json
import sys

import numpy as np
import pytest
from mmdet.evaluation.functional import panoptic_utils
from mmengine.fileio import dump
from PIL import Image

from mmodise.compat import panopticapi
from mmodise.compat.panopticapi import evaluation, utils
from mmodise.compat.panopticapi.evaluation import PQStat
from mmodise.compat.panopticapi.utils import IdGenerator, id2rgb, rgb2id, save_json

CATEGORIES = {
    1: dict(id=1, isthing=1, color=[200, 10, 10]),
    2: dict(id=2, isthing=0, color=[10, 200, 10]),
    3: dict(id=3, isthing=1, color=[10, 10, 200]),
}
NAMES = ('panopticapi', 'panopticapi.evaluation', 'panopticapi.utils')


# Which one is used.


def test_real_one_is_used_where_it_is_installed(monkeypatch, tmp_path):
    package = tmp_path / 'panopticapi'
    package.mkdir()
    for file in ('__init__.py', 'evaluation.py', 'utils.py'):
        (package / file).write_text('')
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert panopticapi.install() is None
    assert sys.modules['panopticapi.evaluation'].__file__ == str(package / 'evaluation.py')
    for name in NAMES:  # the real one of this test must not outlive it
        monkeypatch.delitem(sys.modules, name)


def test_stand_in_is_used_where_it_is_missing_and_completes_mmdet(monkeypatch):
    for name in NAMES:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(panoptic_utils, 'PQStat', None)  # as if mmdet had been imported before
    monkeypatch.setattr(panoptic_utils, 'rgb2id', None)
    assert 'stand-in' in panopticapi.install()
    assert sys.modules['panopticapi'] is panopticapi
    assert sys.modules['panopticapi.evaluation'] is evaluation
    assert sys.modules['panopticapi.utils'] is utils
    assert panoptic_utils.PQStat is PQStat
    assert panoptic_utils.rgb2id is rgb2id


# The numbers.


def test_quality_of_one_category():
    stat = PQStat()
    stat[1].iou, stat[1].tp, stat[1].fp, stat[1].fn = 1.5, 2, 1, 2
    mean, per_category = stat.pq_average(CATEGORIES, isthing=None)
    # 2 matches of IoU 0.75 on average; size 2 + 1 / 2 + 2 / 2 = 3.5
    assert mean == pytest.approx(dict(pq=1.5 / 3.5, sq=0.75, rq=2 / 3.5, n=1))
    assert per_category[1] == pytest.approx(dict(pq=1.5 / 3.5, sq=0.75, rq=2 / 3.5))
    assert per_category[3] == dict(pq=0.0, sq=0.0, rq=0.0)


def test_average_takes_only_categories_that_occur_and_splits_things_and_stuff():
    stat = PQStat()
    stat[1].iou, stat[1].tp = 0.8, 1
    stat[2].fp = 1  # occurs, and is wrong
    assert stat.pq_average(CATEGORIES, None)[0] == dict(pq=0.4, sq=0.4, rq=0.5, n=2)
    assert stat.pq_average(CATEGORIES, True)[0] == dict(pq=0.8, sq=0.8, rq=1.0, n=1)
    assert stat.pq_average(CATEGORIES, False)[0] == dict(pq=0.0, sq=0.0, rq=0.0, n=1)
    assert set(stat.pq_average(CATEGORIES, True)[1]) == {1, 3}


def test_average_over_nothing_is_zero():
    stat = PQStat()
    assert stat.pq_average(CATEGORIES, None)[0] == dict(pq=0.0, sq=0.0, rq=0.0, n=0)
    assert not stat.pq_per_cat  # asking for an average adds no category


def test_counts_of_two_processes_add_up():
    first, second = PQStat(), PQStat()
    first[1].iou, first[1].tp = 0.6, 1
    second[1].iou, second[1].tp, second[1].fn = 0.8, 1, 1
    second[2].fp = 3
    first += second
    assert (first[1].iou, first[1].tp, first[1].fp, first[1].fn) == (pytest.approx(1.4), 2, 0, 1)
    assert first[2].fp == 3


def segment(id_, category_id, area, iscrowd=0):
    return dict(id=id_, category_id=category_id, area=area, iscrowd=iscrowd)


def rows(*ids):
    """Give an image of 10 pixels a row; a row belongs to one segment."""
    return id2rgb(np.repeat(np.array(ids)[:, None], 10, axis=1))


def evaluate(folder, truth, predicted):
    """Evaluate one image; truth and predicted are pairs of an RGB image and its segments."""
    annotations = []
    for name, (image, segments) in (('truth', truth), ('predicted', predicted)):
        (folder / name).mkdir()
        Image.fromarray(image).save(folder / name / '0.png')
        annotations.append(dict(image_id=0, file_name='0.png', segments_info=segments))
    return panoptic_utils.pq_compute_single_core(
        0, [annotations], str(folder / 'truth'), str(folder / 'predicted'), CATEGORIES)


def test_mmdet_counts_with_void(tmp_path):
    stat = evaluate(
        tmp_path,
        (rows(9, 9, 9, 9, 300, 300, 300, 300, 0, 0),
         [segment(9, 1, 40), segment(300, 2, 40)]),
        (rows(5, 5, 5, 7, 7, 7, 7, 7, 7, 8),
         [segment(5, 1, 30), segment(7, 2, 60), segment(8, 1, 10)]))
    # Thing: 30 / 40. Stuff: 40 / (60 + 40 - 40 - 10 of void). Segment 8, all in void, is ignored.
    mean, per_category = stat.pq_average(CATEGORIES, None)
    assert per_category[1] == pytest.approx(dict(pq=0.75, sq=0.75, rq=1.0))
    assert per_category[2] == pytest.approx(dict(pq=0.8, sq=0.8, rq=1.0))
    assert mean == pytest.approx(dict(pq=0.775, sq=0.775, rq=1.0, n=2))


def test_mmdet_counts_with_crowd_wrong_class_and_half_overlap(tmp_path):
    stat = evaluate(
        tmp_path,
        (rows(1, 1, 1, 1, 2, 2, 3, 3, 3, 3),
         [segment(1, 1, 40), segment(2, 1, 20, iscrowd=1), segment(3, 3, 40)]),
        (rows(1, 1, 0, 0, 2, 2, 3, 3, 3, 3),
         [segment(1, 1, 20), segment(2, 1, 20), segment(3, 2, 40)]))
    # Category 1: IoU 20 / 40 is no match (it must be above 0.5): one fp and one fn; the segment
    # in the crowd is ignored. Segment 3 is found, as category 2: fp there, fn in category 3.
    counts = {i: (stat[i].tp, stat[i].fp, stat[i].fn) for i in CATEGORIES}
    assert counts == {1: (0, 1, 1), 2: (0, 1, 0), 3: (0, 0, 1)}


# Files and colours.


def test_ids_are_little_endian_colors():
    assert rgb2id([1, 2, 3]) == 1 + 2 * 256 + 3 * 65536
    assert id2rgb(197121) == [1, 2, 3]
    image = np.array([[[255, 255, 255], [0, 1, 0]]], dtype=np.uint8)
    assert rgb2id(image).tolist() == [[16777215, 256]]
    assert np.array_equal(id2rgb(rgb2id(image)), image)
    assert id2rgb(np.array([[5]])).dtype == np.uint8


def test_id_generator_keeps_stuff_and_separates_things():
    generator = IdGenerator(CATEGORIES)
    assert [generator.get_color(2), generator.get_color(2)] == [[10, 200, 10]] * 2
    things = [generator.get_id_and_color(1) for _ in range(50)]
    assert things[0][1] == [200, 10, 10]
    assert len({id_ for id_, _ in things}) == 50
    assert all(rgb2id(color) == id_ for id_, color in things)
    assert max(abs(color[0] - 200) for _, color in things) <= 30
    assert IdGenerator(CATEGORIES).get_id(1) == rgb2id([200, 10, 10])


def test_save_json_writes_what_mmengine_writes(tmp_path):
    content = dict(images=[dict(id=1, file_name='a.png')])
    save_json(content, tmp_path / 'ours.json')
    dump(content, tmp_path / 'theirs.json')
    assert json.loads((tmp_path / 'ours.json').read_text()) == json.loads(
        (tmp_path / 'theirs.json').read_text())
