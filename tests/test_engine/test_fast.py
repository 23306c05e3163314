"""The fast setting reaches every frozen part, and nothing else."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmodise.engine import fast, load_config, make_fast
from mmodise.models import FeatureExtractor, FrozenCLIP
from mmodise.models.frozen import FrozenModule

CONFIGS = Path(__file__).parents[2] / 'configs'
SMALL = CONFIGS / 'odise/odise_sd-small_shapes-panoptic.py'
RECIPES = {  # with how many generators and CLIPs
    'odise/odise_sd-small_shapes-panoptic.py': (1, 3),
    'odise/odise_sdxl-small_shapes-panoptic.py': (1, 3),
    'odise/odise_sd3-small_shapes-panoptic.py': (1, 3),
    'odise/odise_amused-small_shapes-panoptic.py': (1, 3),
    'odise/fpn_sd-small_shapes-semantic.py': (1, 1),
    'fcclip/fcclip_convnext-l_8xb2-lsj-50e_coco-panoptic.py': (0, 3)}


@pytest.fixture
def able(monkeypatch):
    monkeypatch.setattr(fast, 'has_bfloat16', lambda device: True)


def frozen_parts(node):
    """Precisions of generators and CLIPs in a config, by what follows from their names."""
    found = ([], [])
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and str(node.get('type')).endswith('Extractor'):
        found[0].append(node.get('dtype'))
    if isinstance(node, dict) and node.get('type') == 'FrozenCLIP':
        found[1].append(node.get('precision'))
    for child in children:
        for mine, its in zip(found, frozen_parts(child), strict=True):
            mine.extend(its)
    return found


@pytest.mark.parametrize('name', RECIPES)
def test_every_frozen_part_of_a_recipe(able, name):
    generators, clips = RECIPES[name]
    assert frozen_parts(load_config(CONFIGS / name, fast=True).model) == (
        ['bfloat16'] * generators, ['bf16'] * clips)
    assert 'bfloat16' not in str(load_config(CONFIGS / name).model)


def test_as_a_base_config(able, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = ["{SMALL}", "{CONFIGS}/_base_/fast.py"]')
    assert frozen_parts(load_config(path).model) == (['bfloat16'], ['bf16'] * 3)
    assert frozen_parts(load_config(path, {'fast': False}).model)[0] == [None]


def test_other_precisions_stay(able):
    cfg = Config(dict(model=dict(parts=[
        dict(type='mmdet.StableDiffusionExtractor', dtype='float16'),
        dict(type=FrozenCLIP, precision='fp64'), dict(type='FrozenCLIP', precision='fp32')])))
    make_fast(cfg, 'cpu')
    assert [part.get('dtype') or part.precision for part in cfg.model.parts] == [
        'float16', 'fp64', 'bf16']


def test_a_device_without_bfloat16_keeps_float32(monkeypatch):
    said = []
    monkeypatch.setattr(fast, 'print_log', lambda message, *_: said.append(message))
    monkeypatch.setattr(fast, 'has_bfloat16', lambda device: device.type == 'cuda')
    assert frozen_parts(load_config(SMALL, fast=True, device='cpu').model) == ([None], [None] * 3)
    assert frozen_parts(load_config(SMALL, fast=True, device='cuda').model)[0] == ['bfloat16']
    assert said == ['fast: cpu does not compute in bfloat16 by itself; frozen networks stay in '
                    'float32.']


def test_what_is_trained_stays_in_float32(able):
    init_default_scope('mmdet')
    model = MODELS.build(load_config(SMALL, fast=True, device='cpu').model)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    frozen = [m for m in model.modules() if isinstance(m, FrozenModule)]
    assert sum(isinstance(m, FeatureExtractor) for m in frozen) == 1
    assert sum(isinstance(m, FrozenCLIP) for m in frozen) == 3
    weights = [p for m in frozen for network in m.frozen_modules() for p in network.parameters()
               if p.ndim > 1]
    share = sum(p.numel() for p in weights if p.dtype == torch.bfloat16) / sum(
        p.numel() for p in weights)
    assert share > 0.9  # open_clip leaves embeddings alone
