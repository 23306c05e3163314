"""The data set and schedule configs of COCO, built and run with the two photos of its sample."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import imread
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import DATASETS, METRICS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.structures import PixelData

import mmodise  # noqa: F401
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
BASE = ROOT / 'configs' / '_base_'
SAMPLE = ROOT.parent / 'shared' / 'data' / 'coco_panoptic_sample'
SEGMENTS = {142238: 18, 439180: 32}
CROWDS = {142238: {'person'}, 439180: {'person', 'horse'}}

needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason='the COCO sample is not there')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')


@pytest.fixture
def load(monkeypatch):
    """Load a config below ``configs/_base_`` with COCO_ROOT pointing at the sample."""
    monkeypatch.setenv('COCO_ROOT', str(SAMPLE))
    return lambda name: Config.fromfile(BASE / name)


def test_the_vocabulary_names_the_133_classes_in_cocos_order():
    metainfo = Config.fromfile(BASE / 'datasets/coco_panoptic_vocabulary.py').coco_vocabulary
    vocabulary = Vocabulary.from_metainfo(metainfo)
    classes = DATASETS.get('CocoPanopticDataset').METAINFO['classes']
    assert (vocabulary.num_things, vocabulary.num_stuff) == (80, 53)
    assert len(set(vocabulary.names)) == len(vocabulary.names), 'no name in two classes'
    assert not [name for name in vocabulary.names if '-' in name], 'no label of the annotation file'
    for class_name, names in zip(classes, vocabulary.classes, strict=True):
        word = class_name.split('-')[0].replace(' ', '')  # 'floor-wood': 'floor'
        assert word in ''.join(names).replace(' ', '')


@pytest.mark.parametrize('name', ['coco_panoptic', 'coco_panoptic_sample'])
def test_data_root_comes_from_the_environment(name, monkeypatch):
    monkeypatch.delenv('COCO_ROOT', raising=False)
    config = Config.fromfile(BASE / f'datasets/{name}.py')
    assert config.val_dataloader.dataset.data_root.startswith('data/coco')
    monkeypatch.setenv('COCO_ROOT', '/elsewhere')
    config = Config.fromfile(BASE / f'datasets/{name}.py')
    assert config.train_dataloader.dataset.data_root == '/elsewhere/'
    assert config.val_evaluator.seg_prefix == '/elsewhere/annotations/panoptic_val2017/'


@needs_sample
@pytest.mark.parametrize('loader', ['train_dataloader', 'test_dataloader'])
def test_both_photos_pass_through_the_sample_pipelines(load, loader):
    dataset = DATASETS.build(load('datasets/coco_panoptic_sample.py')[loader].dataset)
    assert len(dataset) == 2
    for index in range(2):
        info, item = dataset.get_data_info(index), dataset[index]
        sample = item['data_samples']
        height, width = item['inputs'].shape[1:]
        assert width == 384 and height == {142238: 256, 439180: 216}[sample.img_id]
        assert len(info['segments_info']) == SEGMENTS[sample.img_id]
        assert crowds(info, dataset.metainfo['classes']) == CROWDS[sample.img_id]
        vocabulary = Vocabulary.from_texts(sample.text, sample.stuff_text)
        assert vocabulary.classes[119] == ('sky', 'clouds') and len(vocabulary) == 133


def crowds(info, classes):
    """Things that are groups come as segments that are no instances."""
    labels = (s['category'] for s in info['segments_info'] if not s['is_thing'])
    return {classes[label] for label in labels if label < 80}


@needs_sample
def test_training_crops_are_padded_with_grey(load):
    config = load('datasets/coco_panoptic.py').train_dataloader.dataset
    config.update(ann_file='annotations/panoptic_val2017.json')
    config.data_prefix = dict(img='val2017/', seg='annotations/panoptic_val2017/')
    config.pipeline[3].ratio_range = (0.5, 0.5)  # the photo becomes 512 wide
    item = DATASETS.build(config)[0]
    image, sample = item['inputs'], item['data_samples']
    outside = torch.ones(1024, 1024, dtype=torch.bool)
    outside[:342, :512] = False  # 427 x 512 / 640 rows
    assert image.shape == (3, 1024, 1024)
    assert (image[:, outside] == 128).all() and image[:, ~outside].float().std() > 20
    assert (sample.gt_sem_seg.sem_seg[:, outside] == 255).all()
    masks = torch.from_numpy(sample.gt_instances.masks.masks)
    assert len(masks) == 14 and masks.any() and not masks[:, outside].any()
    assert sample.img_shape == (1024, 1024), 'the padding counts in the mask losses'


@needs_sample
def test_images_are_tested_at_the_papers_size(load):
    dataset = DATASETS.build(load('datasets/coco_panoptic.py').val_dataloader.dataset)
    assert [item['inputs'].shape[1:] for item in dataset] == [(1024, 1535), (1024, 1820)]


@needs_sample
@pytest.mark.parametrize('name', ['coco_panoptic', 'coco_panoptic_sample'])
def test_the_ground_truth_as_prediction_reaches_100(load, name):
    config = load(f'datasets/{name}.py')
    dataset = DATASETS.build(config.val_dataloader.dataset)
    evaluator = Evaluator(METRICS.build(config.val_evaluator))
    evaluator.dataset_meta = dataset.metainfo
    for info in (dataset.get_data_info(0), dataset.get_data_info(1)):
        sample = DetDataSample(metainfo={**info, 'ori_shape': (info['height'], info['width'])})
        sample.pred_panoptic_seg = PixelData(sem_seg=torch.from_numpy(panoptic_map(info))[None])
        evaluator.process([sample])
    results = evaluator.evaluate(2)
    assert results['coco_panoptic/PQ_th'] == results['coco_panoptic/PQ_st'] == 100


def panoptic_map(info):
    """Ground truth as mmdet writes predictions; groups of things stay void, they do not count."""
    rgb = imread(info['seg_map_path'], channel_order='rgb').astype(int)
    ids = rgb @ [1, 256, 65536]
    panoptic = np.full(ids.shape, 133)
    for number, segment in enumerate(info['segments_info'], start=1):
        if segment['is_thing'] or segment['category'] >= 80:
            instance = number if segment['is_thing'] else 0
            panoptic[ids == segment['id']] = segment['category'] + instance * INSTANCE_OFFSET
    return panoptic


def test_learning_rate_of_the_papers_schedule():
    config = Config.fromfile(BASE / 'schedules/odise_coco.py')
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    schedulers = [
        PARAM_SCHEDULERS.build({**cfg, 'optimizer': optimizer}) for cfg in config.param_scheduler
    ]
    rates = []
    optimizer.step()
    for _ in range(config.max_iters):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.067e-4)
    assert rates[249] == rates[81944] == pytest.approx(1e-4)
    assert rates[81945] == rates[88773] == pytest.approx(1e-5)
    assert rates[88774] == rates[-1] == pytest.approx(1e-6)


def test_weight_decay_spares_norms_and_biases_only():
    model = torch.nn.ModuleDict(
        dict(
            linear=torch.nn.Linear(2, 2),
            norm=torch.nn.LayerNorm(2),
            attention=torch.nn.MultiheadAttention(2, 1),
            embedding=torch.nn.Embedding(2, 2),
        )
    )
    wrapper = build_optim_wrapper(
        model, Config.fromfile(BASE / 'schedules/odise_coco.py').optim_wrapper
    )
    decay = {id(group['params'][0]): group['weight_decay'] for group in wrapper.param_groups}
    decayed = {name for name, value in model.named_parameters() if decay[id(value)] == 0.05}
    assert decayed == {
        'linear.weight',
        'embedding.weight',
        'attention.in_proj_weight',
        'attention.out_proj.weight',
    }
    assert sum(value == 0 for value in decay.values()) == 5
