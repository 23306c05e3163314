"""A small aMUSEd, built of the same classes as the full-size model."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from diffusers import AmusedScheduler, UVit2DModel, VQModel

from .small_models import (
    CLIP_CONFIG,
    TEXT_WIDTH,
    VAE_CONFIG,
    build_clip,
    build_text_encoder,
    keep_scale,
    save_tokenizer,
)

CODES = 512
# the levels of the small VAE: a token is of 8 x 8 pixels, of which a picture of 128 has 16 x 16
VQ_CONFIG = dict(
    {name: value for name, value in VAE_CONFIG.items() if name != 'scaling_factor'},
    num_vq_embeddings=CODES,
    lookup_from_codebook=True)
TRANSFORMER_CONFIG = dict(
    sample_size=16,
    hidden_size=96,
    num_hidden_layers=5,
    num_attention_heads=3,
    intermediate_size=192,
    in_channels=96,
    block_out_channels=96,
    block_num_heads=3,
    num_res_blocks=1,
    encoder_hidden_size=TEXT_WIDTH,
    cond_embed_dim=CLIP_CONFIG['embed_dim'],
    micro_cond_encode_dim=32,
    micro_cond_embed_dim=5 * 32,
    codebook_size=CODES,
    vocab_size=CODES + 8)
MASK_TOKEN = TRANSFORMER_CONFIG['vocab_size'] - 1
MODEL_INDEX = dict(
    _class_name='AmusedPipeline',
    scheduler=['diffusers', 'AmusedScheduler'],
    text_encoder=['transformers', 'CLIPTextModelWithProjection'],
    tokenizer=['transformers', 'CLIPTokenizer'],
    transformer=['diffusers', 'UVit2DModel'],
    vqvae=['diffusers', 'VQModel'])


def build_vqvae() -> VQModel:
    """A small VQ model with random weights, whose codes are as far apart as its latents."""
    vqvae = VQModel(**VQ_CONFIG)
    keep_scale(vqvae)
    torch.nn.init.normal_(vqvae.quantize.embedding.weight)
    return vqvae.eval()


def build_token_transformer() -> UVit2DModel:
    """A small transformer over tokens with random weights."""
    transformer = UVit2DModel(**TRANSFORMER_CONFIG)
    keep_scale(transformer)
    return transformer.eval()


def save_amused(
    folder: Path, vqvae: VQModel | None = None, transformer: UVit2DModel | None = None,
    clip: open_clip.CLIP | None = None,
) -> None:
    """Write parts of an aMUSEd into one folder each, as diffusers does.

    Args:
        folder (Path): Gets the parts, and what they need to be loaded as a whole.
        vqvae (VQModel, optional): The VQ model.
        transformer (UVit2DModel, optional): The transformer.
        clip (open_clip.CLIP, optional): Its text tower is the text encoder.
    """
    text_encoder = build_text_encoder(clip, projection=True) if clip else None
    for name, part in dict(
            vqvae=vqvae, transformer=transformer, text_encoder=text_encoder).items():
        if part is not None:
            part.save_pretrained(folder / name)
    AmusedScheduler(mask_token_id=MASK_TOKEN).save_pretrained(folder / 'scheduler')
    save_tokenizer(folder / 'tokenizer')
    (folder / 'model_index.json').write_text(json.dumps(MODEL_INDEX, indent=2), encoding='utf-8')


def make_amused(folder: Path, seed: int = 0) -> None:
    """Write a whole one with random weights.

    Args:
        folder (Path): Gets it.
        seed (int): Equal seeds give equal files. Defaults to 0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_amused(folder, build_vqvae(), build_token_transformer(), build_clip())
