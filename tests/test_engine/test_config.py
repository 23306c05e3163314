"""What every command does with a config before it builds anything."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmodise.engine import enable_amp, launched, load_config, set_tf32

CONFIGS = Path(__file__).parents[2] / 'configs'
SMALL = CONFIGS / 'odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture(autouse=True)
def tf32_as_before():
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    yield
    for backend, value in zip(backends, before, strict=True):
        backend.allow_tf32 = value


def allowed():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_options_override_and_are_checked():
    cfg = load_config(SMALL, {'train_cfg.max_iters': 3, 'val_cfg': None}, launcher='slurm')
    assert (cfg.train_cfg.max_iters, cfg.val_cfg, cfg.launcher) == (3, None, 'slurm')
    with pytest.raises(ValueError, match=r'train_cfg\.max_iter: did you mean max_iters'):
        load_config(SMALL, {'train_cfg.max_iter': 3})


def test_the_work_folder_is_named_after_the_config_unless_it_is_given(tmp_path):
    assert load_config(SMALL).work_dir == 'work_dirs/odise_sd-small_shapes-panoptic'
    assert load_config(SMALL, {'work_dir': 'a'}).work_dir == 'a'
    assert load_config(SMALL, {'work_dir': 'a'}, work_dir=tmp_path).work_dir == str(tmp_path)


@pytest.mark.parametrize('name', ['nowhere.py', 'a_folder'])
def test_a_config_that_is_not_there(tmp_path, name):
    (tmp_path / 'a_folder').mkdir()
    with pytest.raises(FileNotFoundError) as info:
        load_config(tmp_path / name)
    assert str(info.value) == (
        f'There is no config {tmp_path / name}. Those that come with mmodise are in {CONFIGS}.')


def test_mixed_precision_of_each_device():
    wrappers = {}
    for device, dtype in (('cpu', None), ('cuda', None), ('cuda', 'bfloat16')):
        cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', loss_scale=8.0)))
        enable_amp(cfg, device, dtype)
        wrappers[device, dtype] = dict(cfg.optim_wrapper)
    assert wrappers == {
        ('cpu', None): dict(type='CPUAmpOptimWrapper'),
        ('cuda', None): dict(type='AmpOptimWrapper', loss_scale=8.0),
        ('cuda', 'bfloat16'): dict(type='AmpOptimWrapper', loss_scale=8.0, dtype='bfloat16')}
    with pytest.raises(ValueError, match='Training in float16 needs a GPU'):
        enable_amp(cfg, 'cpu', 'float16')


def test_mixed_precision_lowers_frozen_generators_that_say_nothing_else():
    extractors = [dict(type='StableDiffusionExtractor', **given) for given in (
        {}, dict(dtype='float32'))]
    cfg = Config(dict(optim_wrapper={}, model=dict(
        backbone=dict(backbone=dict(extractor=extractors[0])), other=extractors[1],
        third=dict(type='mmdet.StableDiffusionXLExtractor'))))
    enable_amp(cfg, 'cpu')
    assert cfg.model.backbone.backbone.extractor.dtype == 'bfloat16'
    assert cfg.model.other.dtype == 'float32'
    assert cfg.model.third.dtype == 'bfloat16'
    assert 'dtype' not in cfg.model.backbone


def test_float32_is_float32_unless_the_config_says_otherwise():
    set_tf32(Config(dict(tf32=True)))
    assert allowed() == (True, True)
    set_tf32(Config())
    assert allowed() == (False, False)
    assert load_config(SMALL).tf32 is False
    with pytest.raises(ValueError, match='tf32=1 in the config: expected True or False'):
        set_tf32(Config(dict(tf32=1)))
    with pytest.raises(ValueError, match='tf23: did you mean tf32'):
        load_config(SMALL, {'tf23': True})


def test_a_launch_sets_it_before_anything_is_built():
    for tf32 in (True, False):
        with launched(load_config(SMALL, {'tf32': tf32})):
            assert allowed() == (tf32, tf32)
