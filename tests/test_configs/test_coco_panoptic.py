"""The data set and schedule configs of COCO, built and run with the two photos of its sample."""

import re
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

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
    assert {metric.type: metric.get('seg_prefix') for metric in config.val_evaluator} == {
        'CocoPanopticMetric': '/elsewhere/annotations/panoptic_val2017/',
        'OpenVocabularyInstanceMetric': {
            'coco_panoptic': None,  # COCO's own instances
            'coco_panoptic_sample': '/elsewhere/annotations/panoptic_val2017/'}[name],
        'OpenVocabularySemanticMetric': '/elsewhere/annotations/panoptic_val2017/'}


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
@pytest.mark.parametrize(('ratio', 'picture'), [(0.1, (68, 102)), (2.0, (1024, 1024))])
def test_large_scale_jitter_goes_from_a_tenth_to_twice_the_crop(load, ratio, picture):
    """Photo 142238 has 427 x 640 pixels; its long side becomes 102 or 2048 of 1024."""
    config = load('datasets/coco_panoptic.py').train_dataloader.dataset
    config.update(ann_file='annotations/panoptic_val2017.json')
    config.data_prefix = dict(img='val2017/', seg='annotations/panoptic_val2017/')
    assert config.pipeline[3].ratio_range == (0.1, 2.0)
    config.pipeline[3].ratio_range = (ratio, ratio)
    dataset = DATASETS.build(config)
    assert dataset.get_data_info(0)['img_id'] == 142238
    assert dataset.pipeline.transforms[2].prob == 0.5, 'of a flip'
    image = dataset[0]['inputs']
    grey = (image == 128).all(0)
    rows, columns = (~grey).any(1).nonzero().max() + 1, (~grey).any(0).nonzero().max() + 1
    assert (rows, columns) == picture


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
def test_the_ground_truth_as_prediction_reaches_100(load, name, truth_as_prediction):
    config = load(f'datasets/{name}.py')
    config.val_dataloader.dataset.pipeline = [  # at the original size
        dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'),
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))]
    panoptic, instances, semantic = config.val_evaluator
    if name == 'coco_panoptic':
        assert Path(instances.ann_file).name == 'instances_val2017.json'
        instances.update(ann_file=panoptic.ann_file, seg_prefix=panoptic.seg_prefix)
    dataset = DATASETS.build(config.val_dataloader.dataset)
    evaluator = Evaluator([METRICS.build(metric) for metric in (panoptic, instances, semantic)])
    evaluator.dataset_meta = dataset.metainfo
    for item in dataset:
        evaluator.process([truth_as_prediction(item['data_samples'], dataset.metainfo)])
    results = evaluator.evaluate(2)
    assert results['coco_panoptic/PQ_th'] == results['coco_panoptic/PQ_st'] == 100
    assert results['coco/segm_mAP'] == 1 and results['semantic/mIoU'] == 100


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
    milestones = 0, 1, 100, 249, 250, 251, 81944, 81945, 88773, 88774, 92187
    assert [rates[i] for i in milestones] == pytest.approx(
        [official_rate(i / 92188) for i in milestones], rel=1e-5)
    assert rates[100] == pytest.approx(0.4402e-4, abs=1e-10), '0.067 + 0.933 x 100 / 250'


def official_rate(progress):
    """At a share of the training; the official fractions are written for 184,375 iterations."""
    warm_up = min(1, 0.067 + (1 - 0.067) * progress / (500 / 184375))
    steps = (progress >= 163889 / 184375) + (progress >= 177546 / 184375)
    return 1e-4 * warm_up * 0.1**steps


DECAY = {
    'backbone.captioner.text_gate': 0.05,
    'backbone.captioner.text_position': 0.05,
    'backbone.captioner.text_proj.weight': 0.05,
    'backbone.captioner.text_proj.bias': 0,
    'backbone.captioner.time_gate': 0.05,
    'backbone.captioner.time_position': 0.05,
    'backbone.projections.0.conv1.weight': 0.05,
    'backbone.projections.0.gn1.weight': 0,
    'backbone.projections.0.downsample.1.bias': 0,
    'panoptic_head.pixel_decoder.level_encoding.weight': 0.05,
    'panoptic_head.pixel_decoder.input_convs.0.conv.bias': 0,
    'panoptic_head.pixel_decoder.output_convs.0.gn.weight': 0,
    'panoptic_head.pixel_decoder.encoder.layers.0.self_attn.sampling_offsets.weight': 0.05,
    'panoptic_head.pixel_decoder.encoder.layers.0.self_attn.sampling_offsets.bias': 0,
    'panoptic_head.pixel_decoder.encoder.layers.0.norms.0.weight': 0,
    'panoptic_head.query_embed.weight': 0.05,
    'panoptic_head.query_feat.weight': 0.05,
    'panoptic_head.level_embed.weight': 0.05,
    'panoptic_head.transformer_decoder.layers.0.self_attn.attn.in_proj_weight': 0.05,
    'panoptic_head.transformer_decoder.layers.0.self_attn.attn.in_proj_bias': 0,
    'panoptic_head.transformer_decoder.layers.0.cross_attn.attn.out_proj.bias': 0,
    'panoptic_head.transformer_decoder.layers.0.norms.0.weight': 0,
    'panoptic_head.transformer_decoder.post_norm.bias': 0,
    'panoptic_head.mask_embed.0.weight': 0.05,
    'panoptic_head.mask_embed.0.bias': 0,
    'panoptic_head.mask_embedding.pool_proj.0.weight': 0,  # a LayerNorm
    'panoptic_head.mask_embedding.pool_proj.1.weight': 0.05,
    'panoptic_head.mask_embedding.log_scale': 0.05,
    'panoptic_head.no_object': 0.05,
    'panoptic_head.text_proj.weight': 0.05,
    'panoptic_head.text_proj.bias': 0,
}


def test_weight_decay_spares_norms_and_biases_only():
    """Of the small model, whose parameters have the names of the full-size one's."""
    model = MODELS.build(
        Config.fromfile(ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py').model)
    groups = build_optim_wrapper(
        model, Config.fromfile(BASE / 'schedules/odise_coco.py').optim_wrapper
    ).optimizer.param_groups
    names = {id(value): name for name, value in model.named_parameters()}
    decay = {names.pop(id(value)): group['weight_decay']
             for group in groups for value in group['params']}
    assert not names, 'each is trained'
    assert {group['lr'] for group in groups} == {1e-4}
    assert {name: decay[name] for name in DECAY} == DECAY
    decayed = [name for name, value in decay.items() if value]
    assert not [name for name in decayed if re.search(r'bias|norm|gn\d', name)]
