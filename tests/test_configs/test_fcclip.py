"""FC-CLIP's recipes: full size on the meta device, the optimizer's groups, pictures' sizes."""

import copy
import re
from collections import Counter
from pathlib import Path

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import numpy as np
import open_clip
import pytest
import torch
from mmdet.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.fileio import load as load_yaml
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmodise.benchmark.small_clip_towers import build_tower, save_tower
from mmodise.checkpoints.official import official_names
from mmodise.datasets.shapes_world.writer import make_split
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs/fcclip'
RECIPES = {kind: CONFIGS / f'fcclip_{kind}_8xb2-lsj-50e_coco-panoptic.py'
           for kind in ('convnext-l', 'r50')}
CLIPS = {'convnext-l': 'convnext_large_d_320', 'r50': 'RN50-quickgelu'}
#: Of the official release.
TRAINED = {'pixel decoder': 5_790_144, 'decoder': 14_930_689, 'void': 768}
PARTS = {'panoptic_head.pixel_decoder.': 'pixel decoder', 'panoptic_head.void': 'void',
         'panoptic_head.': 'decoder'}


@pytest.fixture(scope='module', params=RECIPES)
def built(request, tmp_path_factory):
    """A recipe's config and its model, on the meta device, from a file of names and shapes."""
    path = tmp_path_factory.mktemp('clip') / 'clip.pt'
    with torch.device('meta'):
        network = open_clip.create_model(CLIPS[request.param], device='meta')
    torch.save(network.state_dict(), path)
    cfg = Config.fromfile(RECIPES[request.param])
    for part in (cfg.model.backbone, cfg.model.panoptic_head, cfg.model.classifier):
        assert part.clip.model == CLIPS[request.param]
        part.clip.pretrained = str(path)
    with torch.device('meta'):
        return request.param, cfg, MODELS.build(cfg.model)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_and_what_is_shared(built):
    kind, cfg, model = built
    clip = model.backbone.clip
    assert clip.frozen is model.classifier.clip.frozen is model.panoptic_head.clip.frozen
    assert model.classifier.reads_backbone
    assert list(clip.stage_widths) == cfg.model.panoptic_head.in_channels
    assert model.classifier.valid_only == (kind == 'r50')
    assert (model.ensemble.alpha, model.ensemble.beta) == (0.4, 0.8)
    assert model.panoptic_head.prompt == model.classifier.prompt and len(
        model.classifier.prompt) == 14
    trained = Counter()
    for name, parameter in model.named_parameters():
        part = next(part for prefix, part in PARTS.items() if name.startswith(prefix))
        trained[part] += parameter.numel()
    if kind == 'convnext-l':
        assert trained == TRAINED and count(model) == 20_721_601
        assert (count(clip.frozen.model), count(clip.frozen.model.visual)) == (
            351_772_609, 199_770_816)
        assert len(official_names(name for name, _ in model.named_parameters())) == 302
    else:
        assert trained['void'] == clip.embed_dim == 1024
    with torch.device('meta'):
        maps = model.backbone(torch.empty(1, 3, 800, 1216))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (width, 800 // stride, 1216 // stride)
        for width, stride in zip(cfg.model.panoptic_head.in_channels, (4, 8, 16, 32), strict=True)]


def test_what_decays(built):
    """All but norms and tables of embeddings; biases do."""
    _, cfg, model = built
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    decay = {id(group['params'][0]): group['weight_decay'] for group in wrapper.param_groups}
    norms = {id(parameter) for module in model.modules()
             if isinstance(module, (nn.LayerNorm, nn.GroupNorm))
             for parameter in module.parameters()}
    without = {name for name, parameter in model.named_parameters()
               if decay[id(parameter)] == 0 and id(parameter) not in norms}
    assert without == {f'panoptic_head.{name}.weight' for name in (
        'void_embedding', 'query_feat', 'query_embed', 'level_embed')}
    assert all(decay[parameter] == 0 for parameter in norms)
    assert {*decay.values()} == {0, 0.05}
    assert {group['lr'] for group in wrapper.param_groups} == {1e-4}
    assert wrapper.clip_grad_kwargs == dict(max_norm=0.01, norm_type=2)


@pytest.mark.parametrize('path', RECIPES.values(), ids=RECIPES)
def test_schedule_and_data(path):
    cfg = Config.fromfile(path)
    assert cfg.max_iters == cfg.train_cfg.max_iters == 368_750
    assert cfg.train_cfg.val_interval == 5000
    assert cfg.train_cfg.dynamic_intervals == [(365_001, 368_750)]
    assert cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size == 16
    schedule, = cfg.param_scheduler
    assert (schedule.milestones, schedule.gamma) == ([327_778, 355_092], 0.1)
    assert len(Vocabulary.from_metainfo(cfg.model.panoptic_head.vocabulary)) == 133
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps['RandomResize'].ratio_range == (0.1, 2.0)
    assert steps['RandomResize'].resize_type == 'PillowResize'
    assert steps['Pad'].pad_val.img == (128, 128, 128)
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_dataloader.dataset.pipeline


@pytest.mark.parametrize(('size', 'resized'), [
    ((427, 640), (800, 1199)), ((640, 360), (1333, 750)), ((500, 1000), (667, 1333))])
def test_pictures_are_tested_at_short_side_800_and_long_side_1333(size, resized):
    pipeline = Config.fromfile(RECIPES['convnext-l']).test_dataloader.dataset.pipeline
    resize, = (TRANSFORMS.build(step) for step in pipeline if step.type == 'Resize')
    assert resize.backend == 'pillow'
    assert resize(dict(img=np.zeros((*size, 3), np.uint8)))['img'].shape[:2] == resized


def test_the_metafile_and_the_readme_list_every_recipe():
    models = load_yaml(CONFIGS / 'metafile.yml')['Models']
    paths = sorted(CONFIGS.glob('*.py'))
    assert sorted(model['Config'] for model in models) == [
        path.relative_to(ROOT).as_posix() for path in paths]
    assert all(Path(model['Config']).stem == model['Name'] for model in models)
    listed = re.findall(r'^\| `(\S+\.py)`', (CONFIGS / 'README.md').read_text(), re.M)
    assert sorted(listed) == [path.name for path in paths]
    assert 'configs/fcclip/metafile.yml' in (ROOT / 'model-index.yml').read_text()


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A folder in which ``data/`` has what the small recipes name; the CLIPs know nothing."""
    folder = tmp_path_factory.mktemp('small_fcclip')
    make_split('train', 2, folder / 'data/shapes')
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for part in ('clip-convnext', 'clip-resnet'):
            save_tower(part, build_tower(part), torch.tensor(3.0), folder / 'data/small_models')
    return folder


@pytest.mark.parametrize('kind', ['convnext', 'resnet'])
def test_a_small_recipe_learns_and_labels(data, monkeypatch, kind):
    """In float32 and under autocast; what is trained moves, and CLIP runs once per picture."""
    monkeypatch.chdir(data)
    cfg = Config.fromfile(CONFIGS / f'fcclip_{kind}-small_shapes-panoptic.py')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[0], dataset[1]])
    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)  # points
        model.zero_grad()
        with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
            inputs = model.data_preprocessor(copy.deepcopy(batch), training=True)
            total, _ = model.parse_losses(model(**inputs, mode='loss'))
        total.backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())
        assert model.panoptic_head.void_embedding.weight.grad.any()
        losses[dtype] = total.item()
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=0.05)
    seen, tower = [], model.backbone.clip.frozen.model.visual
    first = next(m for m in tower.modules() if isinstance(m, nn.Conv2d))
    hook = first.register_forward_hook(lambda *_: seen.append(1))
    result, = model.eval().test_step(dict(
        inputs=batch['inputs'][:1], data_samples=batch['data_samples'][:1]))
    hook.remove()
    assert len(seen) == 1 and result.pred_panoptic_seg.sem_seg.shape[1:] == (128, 128)
