"""Configs of the small frozen models."""

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import open_clip
import pytest
import torch

from mmodise.checkpoints.convnext import convnext_name, register_convnext


@pytest.fixture(scope='session')
def clip_cfg(small_models):
    return dict(type='FrozenCLIP', model=str(small_models / 'clip'))


@pytest.fixture(scope='session')
def dense_clips(tmp_path_factory):
    """Configs of small CLIPs with random weights whose towers give maps: 'convnext', 'resnet'."""
    folder, text = tmp_path_factory.mktemp('dense_clips'), dict(width=32, heads=2, layers=1)
    name = convnext_name((1, 1, 2, 1), (8, 16, 24, 32))
    register_convnext(name)
    architectures = dict(
        convnext=dict(embed_dim=16, quick_gelu=False, text_cfg=text, vision_cfg=dict(
            timm_model_name=name, timm_pool='', timm_proj='mlp', image_size=64)),
        resnet=dict(embed_dim=16, quick_gelu=True, text_cfg=text, vision_cfg=dict(
            layers=[1, 1, 1, 1], width=8, image_size=64, patch_size=None)))
    configs = {}
    with torch.random.fork_rng():
        for kind, architecture in architectures.items():
            torch.manual_seed(0)
            clip = open_clip.CLIP(**architecture)
            for weight in clip.visual.parameters():  # norms and gates at their start hide mistakes
                if weight.ndim < 2:
                    torch.nn.init.normal_(weight, 1.0, 0.2)
            torch.save(clip.state_dict(), folder / f'{kind}.pt')
            configs[kind] = dict(
                type='FrozenCLIP', model=str(folder / f'{kind}.pt'), architecture=architecture)
    return configs
