"""Every recipe trains two iterations on tiny data; the full-size ones say what they lack."""

import importlib
import math
import re
from collections import Counter
from pathlib import Path

import huggingface_hub
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.fileio import load as load_yaml
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from mmodise.benchmark.small_diffusion_transformer import make_stable_diffusion_3
from mmodise.benchmark.small_stable_diffusion_xl import make_stable_diffusion_xl
from mmodise.benchmark.small_token_generator import make_amused
from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS
from mmodise.datasets.shapes_world.writer import make_split
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / 'configs/odise').glob('*.py'))
FULL_SIZE = [path for path in RECIPES if '_32xb2-' in path.name]
SAMPLE = ROOT.parent / 'shared' / 'data' / 'coco_panoptic_sample'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A folder in which ``data/`` has all that the small recipes name."""
    folder = tmp_path_factory.mktemp('recipes')
    for split, count in (('train', 4), ('val', 2)):
        make_split(split, count, folder / 'data/shapes')
    make_stable_diffusion_xl(folder / 'data/small_models')
    make_stable_diffusion_3(folder / 'data/small_models/stable_diffusion_3')
    make_amused(folder / 'data/small_models/amused')
    if SAMPLE.is_dir():
        (folder / 'data/coco_panoptic_sample').symlink_to(SAMPLE)
    return folder


@pytest.fixture
def load(data, tmp_path, monkeypatch):
    """Load a recipe, with batches of two images and without evaluation."""
    monkeypatch.chdir(data)
    monkeypatch.delenv('COCO_ROOT', raising=False)

    def load(path):
        cfg = Config.fromfile(path)
        cfg.work_dir = str(tmp_path)
        cfg.experiment_name = f'{path.stem}_{tmp_path.name}'
        cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
        return cfg

    return load


class TwoIterations(Hook):
    """Stops the training after two iterations, and keeps what the model returned."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({key: float(value.detach()) for key, value in outputs.items()})
        runner.train_loop.stop_training = len(self.losses) == 2


def name(path):
    return path.stem


@pytest.mark.parametrize('path', [path for path in RECIPES if path not in FULL_SIZE], ids=name)
def test_two_iterations(load, path):
    if 'coco' in path.stem and not SAMPLE.is_dir():
        pytest.skip('the COCO sample is not there')
    if 'mask-rcnn' in path.stem and not has_compiled_ops():
        pytest.skip("RoIAlign and NMS need mmcv's compiled ops")
    runner, hook = Runner.from_cfg(load(path)), TwoIterations()
    runner.register_hook(hook)
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2 and len(hook.losses) == 2
    assert all(math.isfinite(value) for values in hook.losses for value in values.values())
    same = [key for key, value in runner.model.named_parameters()
            if torch.equal(value, before[key])]
    assert not [key for key in same if not may_stand_still(key)]


def may_stand_still(key):
    """Projections behind closed gates get no gradient in the first step, and no weight decay."""
    return 'captioner' in key and key.endswith('bias')


def has_compiled_ops():
    return getattr(importlib.import_module('mmcv._ext'), '__file__', None) is not None


def test_mask_rcnn_is_built(load):
    cfg = load(ROOT / 'configs/odise/mask-rcnn_sd-small-fpn_shapes-instance.py')
    runner = Runner.from_cfg(cfg)
    levels = runner.model.extract_feat(torch.rand(1, 3, 128, 128))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (256, side, side) for side in (32, 16, 8, 4, 2)]
    sample = DATASETS.build(cfg.train_dataloader.dataset)[0]['data_samples']
    assert sample.gt_instances.labels.max() < cfg.model.roi_head.bbox_head.num_classes


def test_file_names_are_unique():
    """mim finds a config by its file name."""
    counts = Counter(path.name for path in (ROOT / 'configs').rglob('*.py'))
    assert [name for name, count in counts.items() if count > 1] == []


def test_the_metafile_lists_every_recipe():
    models = load_yaml(ROOT / 'configs/odise/metafile.yml')['Models']
    assert sorted(model['Config'] for model in models) == [
        path.relative_to(ROOT).as_posix() for path in RECIPES]
    assert all(Path(model['Config']).stem == model['Name'] for model in models)


@pytest.mark.parametrize('path', RECIPES, ids=name)
def test_num_classes_are_those_of_the_training_data(path):
    cfg = Config.fromfile(path)
    head = cfg.model.get('panoptic_head', {})
    if 'vocabulary' not in head:
        pytest.skip('no vocabulary')
    dataset = cfg.train_dataloader.dataset
    dataset, *others = dataset.get('datasets', [dataset])
    assert all(dict(other.metainfo) == dict(dataset.metainfo) for other in others)
    if dataset.type != 'ShapesPanopticDataset':
        assert dict(head.vocabulary) == dict(dataset.metainfo)
        return
    vocabulary = Vocabulary.from_metainfo(head.vocabulary)
    assert vocabulary.class_names == BASE_THINGS + BASE_STUFF
    assert vocabulary.num_things == len(BASE_THINGS)


@pytest.mark.parametrize('path', FULL_SIZE, ids=name)
def test_a_full_size_recipe_names_the_weights_that_are_missing(load, monkeypatch, tmp_path, path):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
    cfg = load(path)
    name = re.escape(cfg.model.backbone.extractor.pretrained)
    with pytest.raises(FileNotFoundError, match=rf'(?s){name}.*Accepted'):
        Runner.from_cfg(cfg)


@pytest.mark.parametrize('path', FULL_SIZE, ids=name)
def test_a_full_size_recipe_is_the_papers(path):
    cfg = Config.fromfile(path)
    assert cfg.max_iters == 92188
    assert cfg.train_dataloader.batch_size * 32 == cfg.auto_scale_lr.base_batch_size == 64
    assert len(Vocabulary.from_metainfo(cfg.model.panoptic_head.vocabulary)) == 133
    wrapper = build_optim_wrapper(torch.nn.Linear(2, 2), cfg.optim_wrapper)
    assert wrapper.clip_grad_kwargs == dict(max_norm=0.01, norm_type=2)
    assert {group['lr'] for group in wrapper.param_groups} == {1e-4}
    head, ensemble = cfg.model.panoptic_head, cfg.model.ensemble
    assert cfg.model.classifier.prompt == 'a photo of a {}.'
    assert (head.type, head.prompt, ensemble.alpha, ensemble.beta) == (
        ('ODISECaptionHead', 'a photo of a {}.', 0.35, 0.65) if 'caption' in path.stem
        else ('ODISEHead', '{}', 0.3, 0.7))


def test_the_config_for_own_data_in_the_readme(tmp_path):
    block, = re.findall(r"```python\n(_base_ = .*?)```", (ROOT / 'README.md').read_text(), re.S)
    path = tmp_path / 'warehouse.py'
    path.write_text(block.replace("'../_base_/", f"'{ROOT}/configs/_base_/"))
    config = Config.fromfile(path)
    vocabulary = Vocabulary.from_metainfo(config.model.panoptic_head.vocabulary)
    things, stuff = 'forklift, fork-lift truck; pallet', 'floor, ground'
    assert vocabulary == Vocabulary.from_string(things, stuff)
    for loader in (config.train_dataloader, config.test_dataloader):
        assert loader.dataset.type == 'CheckedPanopticDataset' and loader.dataset.return_classes
        assert Vocabulary.from_metainfo(loader.dataset.metainfo) == vocabulary
        assert loader.dataset.data_root == 'data/warehouse/'
    assert [metric.type for metric in config.test_evaluator] == [
        'CocoPanopticMetric', 'OpenVocabularyInstanceMetric', 'OpenVocabularySemanticMetric']
    for metric in config.test_evaluator:
        assert metric.ann_file == 'data/warehouse/annotations/panoptic_val.json'
