"""The full-size model's files with random numbers, in the formats of the real ones."""

from __future__ import annotations

from pathlib import Path

import open_clip
import torch
from mmdet.registry import MODELS
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from ..apis.model_building import looking_up
from ..engine import load_config
from ..models.extractors import stable_diffusion
from ..utils.paths import configs_folder
from .random_weights import random_weights
from .small_models import save_tokenizer

_CONFIG = 'odise/odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py'
_CLIP = 'ViT-L-14-336-quickgelu'
_TEXT = dict(
    hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    projection_dim=768)


def full_size_options(folder: Path) -> list[str]:
    """Options of ``predict`` for the paper's model with random weights.

    Args:
        folder (Path): Gets a Stable Diffusion 1.x in diffusers' layout and a CLIP, both in float32,
            and a checkpoint of what is trained; unless they are there.
    """
    generator, clip, checkpoint = (
        folder / name for name in ('stable_diffusion', 'clip.safetensors', 'odise.pth'))
    folder.mkdir(parents=True, exist_ok=True)
    if not generator.exists():
        _write_stable_diffusion(generator)
    if not clip.exists():
        save_file(open_clip.create_model(_CLIP).state_dict(), clip)
    config = Path(configs_folder(), _CONFIG)
    options = {
        'model.backbone.extractor.pretrained': str(generator.resolve()),
        **{f'model.{part}.clip.pretrained': str(clip.resolve())
           for part in ('backbone.captioner', 'panoptic_head', 'classifier')}}
    if not checkpoint.exists():
        with looking_up():
            model = MODELS.build(load_config(config, options).model)
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return ['--model', str(config), '--weights', str(checkpoint), '--cfg-options',
            *(f'{key}={value}' for key, value in options.items())]


def _write_stable_diffusion(folder: Path) -> None:
    with random_weights():
        vae, unet, _ = stable_diffusion.load_stable_diffusion(str(folder))
    for name, part in dict(
            vae=vae, unet=unet, text_encoder=CLIPTextModel(CLIPTextConfig(**_TEXT))).items():
        part.save_pretrained(folder / name)
    save_tokenizer(folder / 'tokenizer', whole=True)
