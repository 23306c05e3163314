"""A small Stable Diffusion 3, built of the same classes as the full-size model."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel

from .small_models import (
    CLIP_CONFIG,
    VAE_CONFIG,
    build_clip,
    build_text_encoder,
    keep_scale,
    save_tokenizer,
)

# As Stable Diffusion 3.5's, but for the patches: of two cells they would leave an 8 x 8 grid of a
# picture of 128 pixels. The texts of both CLIPs together are narrower than what is attended to,
# as there.
TRANSFORMER_CONFIG = dict(
    sample_size=16,
    patch_size=1,
    num_layers=5,
    attention_head_dim=32,
    num_attention_heads=3,
    joint_attention_dim=160,
    caption_projection_dim=96,
    pooled_projection_dim=2 * CLIP_CONFIG['embed_dim'],
    pos_embed_max_size=24,
    qk_norm='rms_norm')
MODEL_INDEX = dict(
    _class_name='StableDiffusion3Pipeline',
    feature_extractor=[None, None],
    image_encoder=[None, None],
    scheduler=['diffusers', 'FlowMatchEulerDiscreteScheduler'],
    text_encoder=['transformers', 'CLIPTextModelWithProjection'],
    text_encoder_2=['transformers', 'CLIPTextModelWithProjection'],
    text_encoder_3=[None, None],
    tokenizer=['transformers', 'CLIPTokenizer'],
    tokenizer_2=['transformers', 'CLIPTokenizer'],
    tokenizer_3=[None, None],
    transformer=['diffusers', 'SD3Transformer2DModel'],
    vae=['diffusers', 'AutoencoderKL'])


def build_transformer(channels: int = 4) -> SD3Transformer2DModel:
    """A small transformer with random weights, for latents of so many channels."""
    transformer = SD3Transformer2DModel(
        in_channels=channels, out_channels=channels, **TRANSFORMER_CONFIG)
    keep_scale(transformer)
    return transformer.eval()


def save_stable_diffusion_3(
    folder: Path, vae: AutoencoderKL | None = None,
    transformer: SD3Transformer2DModel | None = None, clip: open_clip.CLIP | None = None,
) -> None:
    """Write parts of a Stable Diffusion 3 without T5 into one folder each, as diffusers does.

    Args:
        folder (Path): Gets the parts, and what they need to be loaded as a whole.
        vae (AutoencoderKL, optional): The VAE.
        transformer (SD3Transformer2DModel, optional): The transformer.
        clip (open_clip.CLIP, optional): Its text tower is both text encoders.
    """
    text_encoder = build_text_encoder(clip, projection=True) if clip else None
    parts = dict(vae=vae, transformer=transformer, text_encoder=text_encoder,
                 text_encoder_2=text_encoder)
    for name, part in parts.items():
        if part is not None:
            part.save_pretrained(folder / name)
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / 'scheduler')
    save_tokenizer(folder / 'tokenizer')
    save_tokenizer(folder / 'tokenizer_2')
    (folder / 'model_index.json').write_text(json.dumps(MODEL_INDEX, indent=2), encoding='utf-8')


def make_stable_diffusion_3(folder: Path, seed: int = 0) -> None:
    """Write a whole one with random weights, its VAE as in Stable Diffusion 3.

    Args:
        folder (Path): Gets it.
        seed (int): Equal seeds give equal files. Defaults to 0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKL(**{
            **VAE_CONFIG, 'latent_channels': 8, 'scaling_factor': 1.5305, 'shift_factor': 0.0609,
            'use_quant_conv': False, 'use_post_quant_conv': False})
        keep_scale(vae)
        save_stable_diffusion_3(folder, vae.eval(), build_transformer(8), build_clip())
