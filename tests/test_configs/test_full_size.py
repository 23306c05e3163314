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

from mmodise.benchmark.compvis_names import text_encoder_names, unet_names, vae_names
from mmodise.benchmark.random_weights import random_weights
from mmodise.checkpoints.stable_diffusion import load_stable_diffusion_xl
from mmodise.checkpoints.stable_diffusion.loading import load_stable_diffusion, load_text_encoder
from mmodise.models.extractors import stable_diffusion as extractor_module

ROOT = Path(__file__).parents[2]
NAMES = ROOT / 'tests/data/full_size_names.json'
LABEL, CAPTION = (
    ROOT / f'configs/odise/{name}_sd-v1_32xb2-lsj-50e_coco-panoptic.py'
    for name in ('odise', 'odise-caption'))

XL = ROOT / 'configs/odise/odise_sdxl_32xb2-lsj-50e_coco-panoptic.py'
CLUSTER = ROOT / 'configs/cluster/cluster_sd-v1_coco-panoptic.py'

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


@pytest.fixture(scope='module')
def stable_diffusion_xl_file(tmp_path_factory):
    """The base model as it was published, of nothing but names and shapes."""
    path = tmp_path_factory.mktemp('stable_diffusion_xl') / 'sd_xl_base_1.0.ckpt'
    with torch.device('meta'):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2,
            down_block_types=['DownEncoderBlock2D'] * 4, up_block_types=['UpDecoderBlock2D'] * 4)
        attended = ['CrossAttnDownBlock2D', 'CrossAttnUpBlock2D']
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10),
            down_block_types=['DownBlock2D', *attended[:1] * 2], cross_attention_dim=2048,
            up_block_types=[*attended[1:] * 2, 'UpBlock2D'], attention_head_dim=(5, 10, 20),
            use_linear_projection=True, addition_embed_type='text_time',
            addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
        first = CLIPTextModel(CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_attention_heads=12))
        second = open_clip.CLIP(
            1280, dict(layers=1, width=64, patch_size=16, image_size=32),
            dict(width=1280, heads=20, layers=32))
    text_tower = {f'conditioner.embedders.1.model.{name}': value
                  for name, value in second.state_dict().items() if not name.startswith('visual.')}
    torch.save(dict(state_dict={
        **vae_names(vae), **unet_names(unet), **text_tower,
        **text_encoder_names(first, 'conditioner.embedders.0.')}), path)
    return path


def test_the_frozen_networks_of_stable_diffusion_xl(stable_diffusion_xl_file):
    with torch.device('meta'):
        vae, unet, text, pooled = load_stable_diffusion_xl(str(stable_diffusion_xl_file))
    assert (count(vae), count(unet)) == (83_653_863, 2_567_463_684)
    assert (text.shape, pooled.shape) == ((1, 77, 2048), (1, 1280))
    assert vae.config.scaling_factor == 0.13025
    assert unet.config.attention_head_dim == [5, 10, 20]
    assert unet.mid_block.attentions[0].transformer_blocks[9].attn2.heads == 20


def test_the_model_over_stable_diffusion_xl(stable_diffusion_xl_file, clip_file):
    cfg = Config.fromfile(XL).model
    cfg.backbone.extractor.pretrained = str(stable_diffusion_xl_file)
    for part in (cfg.backbone.captioner, cfg.panoptic_head, cfg.classifier):
        part.clip.pretrained = str(clip_file)
    with torch.device('meta'):
        model = MODELS.build(cfg)
        extractor = model.backbone.extractor
        maps = extractor(torch.empty(1, 3, 1024, 1024))
    assert trained(model) == {**TRAINED, 'captioner': 3_862_784, 'projections': 4_019_712}
    assert extractor.image_size == model.backbone.window_size == 1024
    assert extractor.condition == dict(
        text_length=77, text_width=2048, time_width=1280, num_timesteps=1, pooled_width=1280)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (512, 256, 256), (512, 128, 128), (1920, 32, 32), (960, 64, 64), (640, 128, 128),
        (512, 128, 128), (512, 256, 256)]


@pytest.mark.parametrize(('name', 'condition', 'captioner', 'shapes'), [
    ('sd3', dict(text_width=2048, time_width=1536, pooled_width=2048), 4_651_520,
     [(512, 128), (512, 64), *[(1536, 32)] * 3, (512, 64), (512, 128)]),
    ('amused-512', dict(text_width=768, time_width=None, pooled_width=768), 1_300_224,
     [(256, 128), (512, 64), (768, 32), *[(1024, 16)] * 3])])
def test_the_models_over_transformers(clip_file, name, condition, captioner, shapes):
    cfg = Config.fromfile(ROOT / f'configs/odise/odise_{name}_32xb2-lsj-50e_coco-panoptic.py').model
    for part in (cfg.backbone.captioner, cfg.panoptic_head, cfg.classifier):
        part.clip.pretrained = str(clip_file)
    with random_weights(), torch.device('meta'):
        model = MODELS.build(cfg)
        extractor = model.backbone.extractor
        maps = extractor(torch.empty(1, 3, 512, 512))
    assert extractor.image_size == model.backbone.window_size == 512
    assert extractor.condition == dict(text_length=77, num_timesteps=1, **condition)
    assert [tuple(m.shape[1:3]) for m in maps] == shapes
    assert trained(model)['captioner'] == captioner


def test_clusters_need_what_is_read_and_nothing_trained(stable_diffusion_file, clip_file):
    cfg = Config.fromfile(CLUSTER).model
    cfg.backbone.extractor.pretrained = str(stable_diffusion_file)
    cfg.classifier.clip.pretrained = str(clip_file)
    with torch.device('meta'):
        model = MODELS.build(cfg)
        image, cells = model.backbone(torch.empty(1, 3, 1024, 768))
    assert not model.state_dict()
    assert image.shape[1:] == (3, 1024, 768) and cells.shape[1:] == (1280, 32, 24)
    assert cells.shape[2:].numel() <= 1024 <= model.panoptic_head.max_cells
    assert Config.fromfile(CLUSTER).test_dataloader.dataset.pipeline[1].scale == (1024, 1024)
