"""PQ, mask AP and mIoU in one pass of the real runner.

Two images of 4 x 12 pixels, column by column; void is what has no segment:

=====  ===========================================  =============================================
image  truth                                        prediction
=====  ===========================================  =============================================
0      ball 0-4, grass 5-9, void 10-11              ball 0-5, grass 6-11
1      star 0-3, a group of stars 4-6, water 7-11   star 0-3, star 4-6, box 7-8, water 9-11
=====  ===========================================  =============================================

There is also an instance "star" at 7-8 with a higher score than the true one. By hand:

- PQ. Ball 5/6; grass 4/5, for void counts in no union; star 1, for what is found in a group is
  neither right nor wrong; box 0; water 3/5.
- mIoU. Ball 5/6; grass 4/5; star 7/7; water 3/5. Box does not occur in the truth: it has no share
  in the mean. Right are 5 + 4 + 7 + 3 of 22 columns.
- AP. Ball: IoU 5/6, found at 7 of the 10 thresholds. Star: a wrong one before the right one, 0.5 at
  each. Box: not in the truth, no share in the mean.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import imwrite
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData

from mmodise.evaluation import (
    ClassFigures,
    OpenVocabularyInstanceMetric,
    OpenVocabularySemanticMetric,
    run_test,
)

ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = 4, 12
CLASSES = ('ball', 'box', 'star', 'grass', 'water')
METAINFO = dict(
    classes=CLASSES,
    thing_classes=('ball, sphere', 'box, cube', 'star'),
    stuff_classes=('grass, lawn', 'water'))
# Category ids and their order in the files differ from the labels on purpose.
CATEGORY_IDS = dict(water=7, ball=30, grass=5, star=11, box=2)
# image: (segment id, class, columns, whether it is a group)
TRUTH = [
    [(1, 'ball', range(0, 5), 0), (256, 'grass', range(5, 10), 0)],
    [(70_000, 'star', range(0, 4), 0), (9, 'star', range(4, 7), 1), (3, 'water', range(7, 12), 0)],
]
RIGHT = [
    [('ball', range(0, 5), 1.0), ('grass', range(5, 12), 1.0)],
    [('star', range(0, 4), 1.0), ('star', range(4, 7), 1.0), ('water', range(7, 12), 1.0)],
]
WRONG = [
    [('ball', range(0, 6), 0.7), ('grass', range(6, 12), 0.7)],
    [('star', range(0, 4), 0.6), ('star', range(4, 7), 0.95), ('box', range(7, 9), 0.5),
     ('water', range(9, 12), 0.8)],
]
MORE_INSTANCES = [[], [('star', range(7, 9), 0.9)]]


def columns_mask(columns):
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, list(columns)] = True
    return mask


def prediction(segments, more_instances=()):
    """What ODISE's fusion head gives: labels are places in CLASSES, things first."""
    panoptic = torch.full((1, HEIGHT, WIDTH), len(CLASSES))
    semantic = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.long)
    for number, (name, columns, _) in enumerate(segments, start=1):
        label = CLASSES.index(name)
        panoptic[0, :, list(columns)] = label + INSTANCE_OFFSET * number * (label < 3)
        semantic[0, :, list(columns)] = label
    things = [s for s in (*segments, *more_instances) if CLASSES.index(s[0]) < 3]
    return dict(
        pred_panoptic_seg=PixelData(
            sem_seg=panoptic, metainfo=dict(ignore_index=len(CLASSES))),
        pred_sem_seg=PixelData(sem_seg=semantic),
        pred_instances=InstanceData(
            labels=torch.tensor([CLASSES.index(name) for name, _, _ in things]),
            scores=torch.tensor([score for _, _, score in things]),
            masks=torch.stack([columns_mask(columns) for _, columns, _ in things]),
            bboxes=torch.zeros(len(things), 4)))


class Oracle(BaseModel):
    """Knows its answers by the image's id, and remembers what it was asked."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.asked = answers, []

    def forward(self, inputs, data_samples=None, mode='predict'):
        self.asked += [sample.img_id for sample in data_samples]
        for sample in data_samples:
            for name, value in self.answers[sample.img_id].items():
                setattr(sample, name, value.clone())
        return data_samples


def categories(names=CLASSES):
    return [dict(id=key, name=name, isthing=int(name in CLASSES[:3]))
            for name, key in CATEGORY_IDS.items() if name in names]


@pytest.fixture
def root(tmp_path):
    """The two images in COCO's layout, with panoptic and with instance annotations."""
    images = [dict(id=i, file_name=f'{i}.jpg', height=HEIGHT, width=WIDTH) for i in range(2)]
    annotations, instances = [], []
    for image_id, segments in enumerate(TRUTH):
        ids, infos = np.zeros((HEIGHT, WIDTH), dtype=int), []
        for segment_id, name, columns, group in segments:
            ids[:, list(columns)] = segment_id
            start, area = HEIGHT * columns[0], HEIGHT * len(columns)
            box = [columns[0], 0, len(columns), HEIGHT]
            info = dict(
                category_id=CATEGORY_IDS[name], iscrowd=group, bbox=box, area=area)
            infos.append(dict(id=segment_id, **info))
            if name in CLASSES[:3]:  # run lengths, down the columns: off, on, off
                counts = [start, area, HEIGHT * WIDTH - start - area]
                instances.append(dict(
                    id=len(instances) + 1, image_id=image_id, **info,
                    segmentation=dict(counts=counts, size=[HEIGHT, WIDTH])))
        bgr = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1).astype(np.uint8)
        imwrite(bgr, str(tmp_path / f'panoptic/{image_id}.png'))
        imwrite(np.zeros_like(bgr), str(tmp_path / f'images/{image_id}.jpg'))
        annotations.append(dict(
            image_id=image_id, file_name=f'{image_id}.png', segments_info=infos))
    for name, classes, values in (
            ('panoptic', CLASSES, annotations), ('instances', CLASSES[:3], instances)):
        content = dict(images=images, annotations=values, categories=categories(classes))
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


def paths(root):
    return dict(ann_file=str(root / 'panoptic.json'), seg_prefix=str(root / 'panoptic'))


def make_runner(root, answers, instances=None, indices=None):
    """A runner with mmengine's test loop."""
    meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape')
    return Runner(
        Oracle(answers), default_scope='mmdet', work_dir=str(root / 'work'), log_level='ERROR',
        experiment_name=root.name,
        test_dataloader=dict(
            batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='CheckedPanopticDataset', metainfo=METAINFO, test_mode=True, indices=indices,
                ann_file=str(root / 'panoptic.json'),
                data_prefix=dict(img=str(root / 'images'), seg=str(root / 'panoptic')),
                pipeline=[dict(type='LoadImageFromFile'),
                          dict(type='PackDetInputs', meta_keys=meta_keys)])),
        test_cfg=dict(type='TestLoop'),
        test_evaluator=[
            dict(type='OpenVocabularyPanopticMetric', nproc=1, **paths(root)),
            dict(type='OpenVocabularyInstanceMetric', **(instances or paths(root))),
            dict(type='OpenVocabularySemanticMetric', **paths(root))])


def evaluate(root, answers, instances=None, indices=None):
    """Test; return the figures and what the model was asked."""
    runner = make_runner(root, answers, instances, indices)
    return runner.test(), runner.model.asked


def test_the_truth_as_prediction_is_perfect(root):
    figures, _ = evaluate(root, [prediction(segments) for segments in RIGHT])
    assert figures['coco_panoptic/PQ'] == figures['semantic/mIoU'] == 100
    assert figures['coco/segm_mAP'] == 1


@pytest.mark.parametrize('of', ['panoptic annotations', 'instance annotations'])
def test_known_errors_give_known_figures(root, of):
    instances = dict(ann_file=str(root / 'instances.json'))
    figures, asked = evaluate(
        root, list(map(prediction, WRONG, MORE_INSTANCES)),
        instances=instances if of == 'instance annotations' else None)
    assert asked == [0, 1], 'one pass'
    assert figures['coco_panoptic/PQ'] == pytest.approx(100 * (5/6 + 4/5 + 1 + 0 + 3/5) / 5)
    assert figures['coco_panoptic/PQ_st'] == pytest.approx(100 * (4/5 + 3/5) / 2)
    assert figures['semantic/mIoU'] == pytest.approx(100 * (5/6 + 4/5 + 1 + 3/5) / 4, abs=0.01)
    assert figures['semantic/aAcc'] == pytest.approx(100 * 19 / 22, abs=0.01)
    assert figures['semantic/mAcc'] == pytest.approx(100 * (1 + 4/5 + 1 + 3/5) / 4, abs=0.01)
    assert figures['coco/segm_mAP'] == pytest.approx((0.7 + 0.5) / 2, abs=1e-3)
    assert figures['coco/segm_mAP_50'] == figures['coco/segm_mAP_75'] == 0.75


def test_only_images_that_were_tested_count(root):
    figures, asked = evaluate(root, [prediction(segments) for segments in RIGHT], indices=1)
    assert asked == [0]
    assert figures['coco_panoptic/PQ'] == figures['semantic/mIoU'] == 100
    assert figures['coco/segm_mAP'] == 1


def test_label_255_of_a_large_vocabulary_counts(root):
    names = [f'class {number}' for number in range(300)]
    content = json.loads((root / 'panoptic.json').read_text())
    content['categories'] = [dict(id=1000 + i, name=name) for i, name in enumerate(names)]
    content['annotations'] = [dict(image_id=0, segments_info=[
        dict(id=1, category_id=1254), dict(id=256, category_id=1255)])]
    (root / 'panoptic.json').write_text(json.dumps(content))
    metric = OpenVocabularySemanticMetric(**paths(root))
    metric.dataset_meta = dict(classes=names)
    predicted = torch.full((1, HEIGHT, WIDTH), 254)
    predicted[..., 6:] = 255  # of 5 columns of each
    metric.process({}, [DetDataSample(
        metainfo=dict(img_id=0), pred_sem_seg=PixelData(sem_seg=predicted)).to_dict()])
    assert metric.evaluate(1)['semantic/mIoU'] == pytest.approx(100 * (5/6 + 4/5) / 2, abs=0.01)


def test_figures_of_classes_and_predictions_are_kept(root):
    runner = make_runner(root, list(map(prediction, WRONG, MORE_INSTANCES)))
    figures = run_test(runner, save_predictions=True)
    folder = Path(runner.log_dir)
    assert ClassFigures.read(folder / 'classes.csv').values['ball']['PQ'] == pytest.approx(
        100 * 5 / 6, abs=1e-3)
    saved = json.loads((folder / 'predictions/panoptic.json').read_text())
    assert [(c['name'], c['isthing']) for c in saved['categories']] == [
        (name, int(place < 3)) for place, name in enumerate(CLASSES)]
    assert [[(info['category_id'], info['area']) for info in entry['segments_info']]
            for entry in saved['annotations']] == [
        [(4, 24), (1, 24)], [(5, 12), (3, 16), (3, 12), (2, 8)]], 'by their numbers in the map'
    assert not [key for key in figures if key.startswith('predictions')]


@pytest.mark.parametrize('metric', [OpenVocabularyInstanceMetric, OpenVocabularySemanticMetric])
def test_classes_that_are_spelt_otherwise_in_the_file_are_named(root, metric):
    metric = metric(**paths(root))
    with pytest.raises(ValueError, match=r"panoptic\.json: classes .* 'Box' is 'box'"):
        metric.dataset_meta = dict(classes=('ball', 'Box', 'grass'), thing_classes=('b', 'c'))


def test_what_is_no_instance_annotation_is_refused(root):
    with pytest.raises(ValueError, match=r'panoptic\.json.*seg_prefix'):
        OpenVocabularyInstanceMetric(ann_file=str(root / 'panoptic.json'))
    with pytest.raises(FileNotFoundError, match=r'nowhere\.json is not there'):
        OpenVocabularyInstanceMetric(ann_file=str(root / 'nowhere.json'))


def test_the_shapes_data_set(demo_dir, small_checkpoint, monkeypatch, truth_as_prediction):
    """The model of the small recipe, and the truth, on the data set that comes with mmodise."""
    monkeypatch.chdir(demo_dir)
    config = Config.fromfile(ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py')
    files = {key: config.test_evaluator[key] for key in ('ann_file', 'seg_prefix')}
    config.test_evaluator = [
        dict(config.test_evaluator), dict(type='OpenVocabularyInstanceMetric', **files),
        dict(type='OpenVocabularySemanticMetric', **files)]
    config.test_dataloader.dataset.indices = 2
    config.update(work_dir=str(demo_dir / 'work'), load_from=str(small_checkpoint))
    runner = Runner.from_cfg(config)
    figures = runner.test()
    wanted = ('coco_panoptic/PQ', 'coco/segm_mAP', 'semantic/mIoU')
    assert all(0 <= figures[key] < 50 for key in wanted), 'the weights are random'
    for item in runner.test_dataloader.dataset:
        sample = truth_as_prediction(
            item['data_samples'], runner.test_dataloader.dataset.metainfo)
        runner.test_evaluator.process([sample])
    figures = runner.test_evaluator.evaluate(len(runner.test_dataloader.dataset))
    assert [figures[key] for key in wanted] == [100, 1, 100]
