"""The data configs of caption supervision, and trainings on several kinds of data."""

import copy
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmodise.datasets.converters.open_images import prepare_open_images
from mmodise.datasets.converters.visual_genome import prepare_visual_genome

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / 'configs/odise/odise-caption_sd-small_shapes-panoptic.py'
SAMPLE = ROOT.parent / 'shared' / 'data' / 'coco_panoptic_sample'
TREES = ROOT.parent / 'shared/trees/open'


@pytest.mark.parametrize('name', ['coco', 'shapes'])
def test_images_are_prepared_as_for_label_supervision(name):
    configs = [Config.fromfile(ROOT / f'configs/_base_/datasets/{name}_{kind}.py')
               for kind in ('panoptic', 'caption')]
    labels, captions = (config.train_dataloader.dataset.pipeline for config in configs)
    steps = [step for step in captions if step.type != 'DrawWords']
    assert steps[1].type == 'LoadPanopticIfAny'
    assert steps[0] == labels[0] and steps[2:-1] == labels[2:-1]
    assert {*steps[-1].meta_keys} == {*labels[-1].meta_keys} - {'text', 'stuff_text'} | {
        'words', 'has_masks'}
    assert configs[0].test_dataloader == configs[1].test_dataloader


@pytest.mark.skipif(not SAMPLE.is_dir(), reason='the COCO sample is not there')
def test_photos_with_captions_pass_through_the_full_size_pipeline(monkeypatch, tmp_path):
    monkeypatch.setenv('COCO_ROOT', str(SAMPLE))
    captions = tmp_path / 'captions.json'
    captions.write_text(json.dumps(dict(images=[], annotations=[
        dict(image_id=142238, caption='Dogs on green grass'),
        dict(image_id=439180, caption='A horse in the sun')])))
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/coco_caption.py')
    dataset = config.train_dataloader.dataset
    assert dataset.caption_file == 'annotations/captions_train2017.json'
    dataset.update(
        caption_file=str(captions), ann_file='annotations/panoptic_val2017.json',
        data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'))
    np.random.seed(0)
    first, second = (item['data_samples'] for item in DATASETS.build(dataset))
    assert {*first.words} == {'dogs', 'green grass', 'dogs on green grass'}
    assert {*second.words} == {'horse', 'sun'} and second.has_masks


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
@pytest.mark.parametrize('name', ['visual_genome', 'open_images'])
def test_regions_beside_coco_in_one_batch(name, monkeypatch, tmp_path):
    """Masks and captions of COCO, words with boxes of the others, at full size."""
    root = shutil.copytree(TREES / name, tmp_path / 'tree')
    if name == 'open_images':
        prepare_open_images(root, split='train')
    else:
        prepare_visual_genome(root, exclude=[
            TREES / 'coco_panoptic/annotations/panoptic_val2017.json'])
    monkeypatch.setenv('COCO_ROOT', str(TREES / 'coco_panoptic'))
    monkeypatch.setenv(f'{name.upper()}_ROOT', str(root))
    config = Config.fromfile(ROOT / f'configs/_base_/datasets/coco_{name}.py')
    dataset = DATASETS.build(config.train_dataloader.dataset)
    np.random.seed(1)
    batch = pseudo_collate([dataset[0], dataset[len(dataset) - 1]])
    coco, other = batch['data_samples']
    assert [picture.shape for picture in batch['inputs']] == [(3, 1024, 1024)] * 2
    assert (coco.has_masks, other.has_masks) == (True, False)
    assert len(coco.words) == 8 and set(coco.word_boxes) == {()}
    assert len(other.words) == len(other.word_boxes) == 8
    for left, top, right, bottom in (box for boxes in other.word_boxes for box in boxes):
        assert 0 <= left < right <= 1024 and 0 <= top < bottom <= 1024
    assert any(other.word_boxes)


@pytest.fixture
def cfg(demo_dir, tmp_path, monkeypatch):
    """The recipe, with batches of three images in the order of the data set."""
    monkeypatch.chdir(demo_dir)
    cfg = Config.fromfile(RECIPE)
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name = tmp_path.name
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg.max_iters = 2
    cfg.train_dataloader.update(
        batch_size=3, sampler=dict(type='InfiniteSampler', shuffle=False))
    return cfg


class Losses(Hook):
    """Keeps what the model returned, and the images it was given."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {key: float(value.detach()) for key, value in outputs.items()}
        assert all(math.isfinite(value) for value in losses.values())
        self.seen.append((data_batch['data_samples'], losses))


def train(cfg):
    hook, runner = Losses(), Runner.from_cfg(cfg)
    runner.register_hook(hook)
    runner.train()
    return hook.seen


def test_images_without_masks_beside_others(cfg):
    """Masks are learned from those that have some, words from all."""
    panoptic = cfg.train_dataloader.dataset
    captions = {**panoptic, 'type': 'CaptionedImagesDataset', 'ann_file': panoptic.caption_file,
                'metainfo': DATASETS.build({**panoptic, 'lazy_init': True}).metainfo}
    del captions['caption_file'], captions['split']
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[captions, panoptic])
    (images, without), (mixed, with_masks) = train(cfg)
    assert [image.has_masks for image in images] == [False] * 3
    assert [image.has_masks for image in mixed] == [False, True, True]
    assert without['loss_mask'] == without['loss_cls'] == without['d0.loss_dice'] == 0
    assert min(with_masks['loss_mask'], with_masks['loss_cls'], with_masks['d0.loss_dice']) > 0
    for losses in (without, with_masks):
        assert losses['loss_grounding'] == pytest.approx(math.log(3), rel=0.3)  # of an even guess


def test_no_class_label_is_seen(cfg):
    """Things of other classes, and the losses stay the same."""
    model = MODELS.build(cfg.model)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    losses = []
    for shift in (0, 1):
        for sample in batch['data_samples']:
            assert 'text' not in sample and len(sample.words) == 8
            sample.gt_instances.labels = (sample.gt_instances.labels + shift) % 12
        torch.manual_seed(0)
        data = model.data_preprocessor(copy.deepcopy(batch), training=True)
        losses.append({name: float(loss) for name, loss in model(**data, mode='loss').items()})
    assert losses[0] == losses[1] and len(losses[0]) == 16


def test_an_image_without_a_caption_among_others(cfg):
    path = Path('data/shapes/annotations/captions_train.json')
    content = json.loads(path.read_text())
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] != 2]
    captions = Path(cfg.work_dir, 'captions.json')
    captions.write_text(json.dumps(content))
    cfg.train_dataloader.dataset.caption_file = str(captions)
    (samples, losses), _ = train(cfg)
    assert [len(sample.words) for sample in samples] == [8, 0, 8]
    assert losses['loss_grounding'] > 0 and losses['loss_mask'] > 0
