"""The test on all data sets of the paper's tables, built without their data and with some of it."""

import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from PIL import Image

from mmodise.engine import load_config

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/open_vocabulary/odise_sd-v1_open-vocabulary.py'
TREES = ROOT.parent / 'shared/trees/open'
ROOTS = ('COCO_ROOT', 'ADE20K_ROOT', 'ADE20K_FULL_ROOT', 'PASCAL_CONTEXT_ROOT', 'PASCAL_VOC_ROOT')


@pytest.fixture
def load(monkeypatch, tmp_path):
    def load(**roots):
        for name in ROOTS:
            monkeypatch.setenv(name, str(roots.get(name, tmp_path / 'nowhere')))
        config = load_config(CONFIG, work_dir=tmp_path / 'work')
        config.test_dataloader.update(num_workers=0, persistent_workers=False)
        return config
    return load


class Nothing(BaseModel):
    """Takes the annotation for its result, where the sample has one, else the first class."""

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            labels = torch.zeros(1, *sample.ori_shape, dtype=torch.long)
            if 'gt_sem_seg' in sample:
                labels = sample.gt_sem_seg.sem_seg.long()
            sample.pred_sem_seg = PixelData(sem_seg=labels)
            sample.pred_panoptic_seg = PixelData(
                sem_seg=torch.zeros_like(labels), metainfo=dict(ignore_index=150))
            sample.pred_instances = InstanceData(
                labels=torch.zeros(1, dtype=torch.long), scores=torch.ones(1),
                bboxes=torch.zeros(1, 4), masks=torch.ones(1, *sample.ori_shape, dtype=bool))
        return data_samples


def run(config):
    return Runner(
        Nothing(), default_scope='mmdet', work_dir=config.work_dir, log_level='ERROR',
        experiment_name='nothing', test_dataloader=config.test_dataloader,
        test_evaluator=config.test_evaluator, test_cfg=config.test_cfg, cfg=config).test()


def test_all_parts_are_there(load):
    config = load()
    for name, parts in config.test_cfg.data_sets.items():
        assert DATASETS.get(parts.dataset.type), name
        for metric in parts.metrics:
            taken = {key for kind in METRICS.get(metric.type).__mro__
                     for key in inspect.signature(kind.__init__).parameters}
            assert set(metric) - {'type'} <= taken, name
    with pytest.raises(ValueError, match='None of the data sets A-150, A-150 maps, COCO'):
        run(config)


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_the_data_that_are_there_are_tested(load, tmp_path):
    """ADE20K's maps as they are downloaded, and COCO, whose first class is person."""
    root = shutil.copytree(TREES / 'ade20k_150/ADEChallengeData2016', tmp_path / 'ade')
    config = load(ADE20K_ROOT=root, COCO_ROOT=TREES / 'coco_panoptic')
    figures = run(config)
    text = (tmp_path / 'work/data_sets/tables.md').read_text()
    assert {key.split('/')[0] for key in figures} == {'A-150 maps', 'COCO'}
    assert figures['A-150 maps/semantic/mIoU'] == 100
    folder = TREES / 'coco_panoptic/annotations'
    content = json.loads((folder / 'panoptic_val2017.json').read_text())
    person, known, classes = 0, 0, set()
    for annotation in content['annotations']:
        path = folder / 'panoptic_val2017' / annotation['file_name']
        ids = np.asarray(Image.open(path).convert('RGB')).astype(int) @ [1, 256, 65536]
        for info in annotation['segments_info']:
            pixels = int((ids == info['id']).sum())
            known += pixels
            classes |= {info['category_id']} if pixels else set()
            person += pixels * (info['category_id'] == 1)
    assert figures['COCO/semantic/mIoU'] == pytest.approx(
        100 * person / known / len(classes), abs=0.01)
    assert 'PC-459 was left out' in text and '| nothing | - | - | 100.0 |' in text
