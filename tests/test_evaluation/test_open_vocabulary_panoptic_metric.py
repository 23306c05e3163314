"""Two images of 4 x 10 pixels, column by column; see ``TRUTH`` and ``PREDICTION``.

Worked out by hand, in percent (PQ = sum of IoU / (matches + half of all that is unmatched)):

========  =================================  ======  ======  ======
ball      16 of 20 pixels, IoU 0.8           PQ 80   SQ 80   RQ 100
box       one unmatched prediction           PQ 0    SQ 0    RQ 0
grass     20 in common of 24, IoU 5/6        PQ 83⅓  SQ 83⅓  RQ 100
star      12 of 20, IoU 0.6; one unmatched   PQ 40   SQ 60   RQ 66⅔
water     8 of 20 is no match                PQ 0    SQ 0    RQ 0
========  =================================  ======  ======  ======
"""

import json

import mmcv
import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from mmodise.evaluation import OpenVocabularyPanopticMetric

CLASSES = ('ball', 'box', 'star', 'grass', 'water')
NUM_THINGS = 3
META = dict(
    classes=CLASSES,
    thing_classes=('ball, sphere', 'box, cube', 'star'),
    stuff_classes=('grass, lawn', 'water'),
    novel_classes=('star', 'water'),
)

# Category ids and their order in the file differ from the labels on purpose.
CATEGORY_IDS = dict(water=7, ball=30, grass=5, star=11, box=2)

# (segment id, class), column by column: 5 columns of each
TRUTH = [
    [(1, 'ball')] * 5 + [(256, 'grass')] * 5,
    [(70_000, 'star')] * 5 + [(3, 'water')] * 5,
]
BALL, BOX = INSTANCE_OFFSET + 0, 2 * INSTANCE_OFFSET + 1
STAR, SECOND_STAR = 3 * INSTANCE_OFFSET + 2, 4 * INSTANCE_OFFSET + 2
GRASS, WATER, VOID = 3, 4, 255
PREDICTION = [
    [BALL] * 4 + [GRASS] * 6,
    [STAR] * 3 + [BOX] * 2 + [WATER] * 2 + [SECOND_STAR] * 2 + [VOID],
]

BASE = dict(
    base_PQ=(80 + 0 + 250 / 3) / 3, base_SQ=(80 + 0 + 250 / 3) / 3, base_RQ=(100 + 0 + 100) / 3
)
NOVEL = dict(novel_PQ=(40 + 0) / 2, novel_SQ=(60 + 0) / 2, novel_RQ=(200 / 3 + 0) / 2)
ALL = dict(
    PQ=(80 + 0 + 250 / 3 + 40 + 0) / 5,
    SQ=(80 + 0 + 250 / 3 + 60 + 0) / 5,
    RQ=(100 + 0 + 100 + 200 / 3 + 0) / 5,
    PQ_th=(80 + 0 + 40) / 3,
    PQ_st=(250 / 3 + 0) / 2,
)


def segments_of(columns):
    return [
        dict(
            id=segment_id,
            category_id=CATEGORY_IDS[name],
            iscrowd=0,
            bbox=[0, 0, 5, 4],
            area=4 * columns.count((segment_id, name)),
        )
        for segment_id, name in dict.fromkeys(columns)
    ]


@pytest.fixture
def paths(tmp_path):
    """Annotation file and PNG folder in COCO's layout."""
    for index, columns in enumerate(TRUTH):
        ids = np.array([[segment_id for segment_id, _ in columns]] * 4)
        bgr = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1).astype(np.uint8)
        mmcv.imwrite(bgr, str(tmp_path / 'png' / f'{index}.png'))
    annotations = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=4, width=10) for i in range(2)],
        annotations=[
            dict(image_id=i, file_name=f'{i}.png', segments_info=segments_of(TRUTH[i]))
            for i in range(2)
        ],
        categories=[
            dict(id=category_id, name=name, isthing=int(CLASSES.index(name) < NUM_THINGS))
            for name, category_id in CATEGORY_IDS.items()
        ],
    )
    (tmp_path / 'panoptic.json').write_text(json.dumps(annotations))
    return dict(ann_file=str(tmp_path / 'panoptic.json'), seg_prefix=str(tmp_path / 'png'))


def sample(index, seg_prefix):
    """A prediction with what ``CocoPanopticDataset`` gives beside it."""
    data_sample = DetDataSample(
        metainfo=dict(
            img_id=index,
            img_path=f'images/{index}.jpg',
            seg_map_path=f'{seg_prefix}/{index}.png',
            ori_shape=(4, 10),
            segments_info=[
                dict(
                    id=segment_id,
                    category=CLASSES.index(name),
                    is_thing=CLASSES.index(name) < NUM_THINGS,
                )
                for segment_id, name in dict.fromkeys(TRUTH[index])
            ],
        )
    )
    data_sample.pred_panoptic_seg = PixelData(
        sem_seg=torch.tensor([[PREDICTION[index]] * 4]), metainfo=dict(ignore_index=VOID)
    )
    return data_sample


def evaluate(paths, meta=META, **kwargs):
    metric = METRICS.build(dict(type='OpenVocabularyPanopticMetric', nproc=1, **kwargs))
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = meta
    for index in range(2):
        evaluator.process([sample(index, paths['seg_prefix'])])
    results = evaluator.evaluate(2)
    return {name.removeprefix('coco_panoptic/'): value for name, value in results.items()}


@pytest.mark.parametrize('with_file', [True, False], ids=['ann_file', 'from_samples'])
@pytest.mark.parametrize('keep', [True, False], ids=['outfile', 'temporary'])
def test_base_and_novel_by_hand(paths, tmp_path, with_file, keep):
    files = paths if with_file else dict(seg_prefix=paths['seg_prefix'])
    outfile = dict(outfile_prefix=str(tmp_path / 'out' / 'run')) if keep else {}
    results = evaluate(paths, **files, **outfile)
    expected = {**ALL, **BASE, **NOVEL}
    assert {key: results[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert set(results) == {*expected, 'SQ_th', 'RQ_th', 'SQ_st', 'RQ_st'}


def test_no_groups_without_novel_classes(paths):
    results = evaluate(paths, {**META, 'novel_classes': ()}, **paths)
    assert results['PQ'] == pytest.approx(ALL['PQ'])
    assert not [key for key in results if key.startswith(('base', 'novel'))]


def test_a_group_that_does_not_occur_has_no_figures(paths, tmp_path, log):
    annotations = json.loads((tmp_path / 'panoptic.json').read_text())
    annotations['categories'].append(dict(id=99, name='heart', isthing=1))
    (tmp_path / 'panoptic.json').write_text(json.dumps(annotations))
    meta = dict(
        classes=(*CLASSES, 'heart'), thing_classes=(*CLASSES, 'heart'), novel_classes=['heart']
    )
    results = evaluate(paths, meta, **paths)
    assert not [key for key in results if key.startswith('novel')]
    assert results['base_PQ'] == pytest.approx(ALL['PQ'])
    assert '| Novel | -      | -      | -      | 0          |' in log.text


def test_format_only_writes_the_files_with_category_ids(paths, tmp_path):
    prefix = str(tmp_path / 'submission')
    assert evaluate(paths, **paths, outfile_prefix=prefix, format_only=True) == {}
    first, second = json.loads((tmp_path / 'submission.panoptic.json').read_text())['annotations']
    assert {s['category_id'] for s in first['segments_info']} == {30, 5}
    assert {s['category_id'] for s in second['segments_info']} == {11, 2, 7}


def test_classes_that_the_file_lacks_are_named(paths, log):
    metric = OpenVocabularyPanopticMetric(**paths)
    metric.dataset_meta = {
        **META,
        'classes': ('ball', 'box', 'star', 'grass', 'pond'),
        'novel_classes': (),
    }
    assert "1 of 5 classes of the metainfo are no categories here: 'pond'" in log.text
    assert "1 of 5 categories are no classes of the metainfo: 'water' (1 segments in" in log.text


def test_the_classes_may_change_between_runs(paths):
    metric = OpenVocabularyPanopticMetric(**paths)
    metric.dataset_meta = {'classes': ('grass',), 'thing_classes': ()}
    assert metric.dataset_meta['thing_classes'] == ()
    metric.dataset_meta = META
    assert metric.dataset_meta['thing_classes'] == ('ball', 'box', 'star')


def test_novel_classes_must_be_classes(paths):
    metric = OpenVocabularyPanopticMetric(**paths)
    with pytest.raises(ValueError, match=r"novel_classes \['sphere'\] .* the classes"):
        metric.dataset_meta = {**META, 'novel_classes': ('star', 'sphere')}
