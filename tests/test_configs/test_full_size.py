"""The paper's models with all their parameters, built on the meta device: shapes without numbers.

Frozen weights are files of nothing but names and shapes; the networks of Stable Diffusion are also
built from their settings.
"""

import json
from collections import Counter
from pathlib import Path

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import open_clip
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from mmdet.registry import MODELS
from mmengine.config import Config
from transformers import CLIPTextConfig, CLIPTextModel

from mmodise.checkpoints.stable_diffusion.loading import load_stable_diffusion, load_text_encoder
from mmodise.models.extractors import stable_diffusion as extractor_module

ROOT = Path(__file__).parents[2]
NAMES = ROOT / 'tests/data/full_size_names.json'
LABEL, CAPTION = (
    ROOT / f'configs/odise/{name}_sd-v1_32xb2-lsj-50e_coco-panoptic.py'
    for name in ('odise', 'odise-caption'))

# Numbers of parameters of the official release
TRAINED = {
    'captioner': 1_695_744, 'projections': 5_873_664, 'pixel decoder': 5_577_152,
    'decoder': 14_722_817, 'no object': 768, 'text projection': 196_864}
FROZEN = {'unet': 859_520_964, 'vae': 83_653_863, 'text encoder': 123_060_480}
PARTS = {
    'backbone.captioner.': 'captioner', 'backbone.projections.': 'projections',
    'panoptic_head.pixel_decoder.': 'pixel decoder', 'panoptic_head.no_object': 'no object',
    'panoptic_head.text_proj.': 'text projection', 'panoptic_head.cls_embed.': 'objectness',
    'panoptic_head.': 'decoder'}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def networks_from_settings():
    """Stable Diffusion 1.x; what is not said is diffusers' default."""
    with torch.device('meta'):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2,
            down_block_types=['DownEncoderBlock2D'] * 4, up_block_types=['UpDecoderBlock2D'] * 4)
        unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, class_embed_type='identity')
        text_encoder = CLIPTextModel(CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_attention_heads=12))
    return dict(vae=vae, unet=unet), text_encoder


def networks_from_file(path):
    """As users load them."""
    with torch.device('meta'):
        vae, unet, _ = load_stable_diffusion(str(path))
        return dict(vae=vae, unet=unet), load_text_encoder(str(path))


@pytest.fixture(scope='module')
def clip_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('clip') / 'clip.pt'
    with torch.device('meta'):
        network = open_clip.create_model('ViT-L-14-336-quickgelu', device='meta')
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope='module')
def stable_diffusion_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('stable_diffusion') / 'sd-v1.ckpt'
    shapes = json.loads(NAMES.read_text())['sd_v1']
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
    torch.save(dict(state_dict=weights), path)
    return path


@pytest.fixture(params=['settings', 'file'])
def build(request, clip_file, monkeypatch):
    """Build the model of a config on the meta device."""
    if request.param == 'file':
        pretrained = request.getfixturevalue('stable_diffusion_file')
    else:
        pretrained = None
        monkeypatch.setattr(extractor_module, 'load_stable_diffusion', lambda *_, **__: (
            *networks_from_settings()[0].values(), torch.empty(1, 77, 768, device='meta')))

    def build(path):
        cfg = Config.fromfile(path).model
        cfg.backbone.extractor.pretrained = str(pretrained)
        for part in (cfg.backbone.captioner, cfg.panoptic_head, cfg.classifier):
            assert part.clip == dict(
                type='FrozenCLIP', model='ViT-L-14-336-quickgelu', pretrained='openai')
            part.clip.pretrained = str(clip_file)
        with torch.device('meta'):
            return MODELS.build(cfg)

    return build


def trained(model):
    counts = Counter()
    for name, parameter in model.named_parameters():
        part = next(part for prefix, part in PARTS.items() if name.startswith(prefix))
        counts[part] += parameter.numel()
    return counts


def test_the_label_models_trained_parameters(build):
    model = build(LABEL)
    assert trained(model) == TRAINED
    assert count(model) == 28_067_009
    clip, *others = (
        part.clip.frozen.model
        for part in (model.backbone.captioner, model.panoptic_head, model.classifier))
    assert count(clip) == 427_944_193 and all(other is clip for other in others), 'one in memory'


def test_the_caption_models_trained_parameters(build):
    model = build(CAPTION)
    expected = {**TRAINED, 'objectness': 2 * 256 + 2}
    del expected['no object']
    assert trained(model) == expected
    assert count(model) == 28_066_755


@pytest.mark.parametrize('source', ['settings', 'file'])
def test_the_frozen_networks_of_stable_diffusion(request, source):
    if source == 'settings':
        networks, text_encoder = networks_from_settings()
    else:
        networks, text_encoder = networks_from_file(
            request.getfixturevalue('stable_diffusion_file'))
    networks['text encoder'] = text_encoder
    assert {name: count(network) for name, network in networks.items()} == FROZEN
