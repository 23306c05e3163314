"""A small Stable Diffusion XL, built of the same classes as the full-size model."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from .compvis_names import text_encoder_names, unet_names, vae_names
from .small_models import (
    CLIP_CONFIG,
    SCHEDULER_CONFIG,
    TEXT_WIDTH,
    build_clip,
    build_text_encoder,
    build_vae,
    keep_scale,
    save_tokenizer,
    vocabulary,
)

# Three levels, as in the full-size model, whose widths are 320, 640, 1280, with 2 and 10 blocks in
# each transformer of the deeper two.
UNET_CONFIG = dict(
    sample_size=16,
    block_out_channels=(40, 80, 80),
    down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
    up_block_types=('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'),
    transformer_layers_per_block=(1, 1, 2),
    layers_per_block=2,
    cross_attention_dim=2 * TEXT_WIDTH,
    attention_head_dim=(1, 2, 2),  # the numbers of heads, by their name in Stable Diffusion XL
    use_linear_projection=True,
    addition_embed_type='text_time',
    addition_time_embed_dim=32,
    projection_class_embeddings_input_dim=CLIP_CONFIG['embed_dim'] + 6 * 32,
    norm_num_groups=8)
MODEL_INDEX = dict(
    _class_name='StableDiffusionXLPipeline',
    feature_extractor=[None, None],
    force_zeros_for_empty_prompt=True,
    image_encoder=[None, None],
    scheduler=['diffusers', 'EulerDiscreteScheduler'],
    text_encoder=['transformers', 'CLIPTextModel'],
    text_encoder_2=['transformers', 'CLIPTextModelWithProjection'],
    tokenizer=['transformers', 'CLIPTokenizer'],
    tokenizer_2=['transformers', 'CLIPTokenizer'],
    unet=['diffusers', 'UNet2DConditionModel'],
    vae=['diffusers', 'AutoencoderKL'])
#: What a single file of the small one does not tell, see :func:`load_stable_diffusion_xl`.
ARCHITECTURE = dict(
    unet={name: UNET_CONFIG[name] for name in (
        'sample_size', 'attention_head_dim', 'addition_time_embed_dim', 'norm_num_groups')},
    vae=dict(norm_num_groups=4, sample_size=128, scaling_factor=0.18215),
    text_encoder=dict(num_attention_heads=2),
    text_encoder_2=dict(num_attention_heads=2, hidden_act='quick_gelu'))


def build_unet_xl() -> UNet2DConditionModel:
    """A small UNet with random weights that keep the scale of its features near 1."""
    unet = UNet2DConditionModel(**UNET_CONFIG)
    keep_scale(unet)
    return unet.eval()


def save_stable_diffusion_xl(
    folder: Path, vae: AutoencoderKL | None = None, unet: UNet2DConditionModel | None = None,
    clip: open_clip.CLIP | None = None, variant: str | None = None,
) -> None:
    """Write parts of a Stable Diffusion XL into one folder each, as diffusers does.

    Args:
        folder (Path): Gets the parts, and what they need to be loaded as a whole.
        vae (AutoencoderKL, optional): The VAE.
        unet (UNet2DConditionModel, optional): The UNet.
        clip (CLIP, optional): Its text tower is both text encoders, of the second with projection.
        variant (str, optional): Such as 'fp16', part of the names of files of weights.
    """
    parts = dict(vae=vae, unet=unet)
    if clip is not None:
        parts.update(text_encoder=build_text_encoder(clip),
                     text_encoder_2=build_text_encoder(clip, projection=True))
    for name, part in parts.items():
        if part is not None:
            part.save_pretrained(folder / name, variant=variant)
    EulerDiscreteScheduler(**{
        name: value for name, value in SCHEDULER_CONFIG.items()
        if name not in ('set_alpha_to_one', 'skip_prk_steps')}).save_pretrained(
            folder / 'scheduler')
    save_tokenizer(folder / 'tokenizer')
    # the second one's text encoder was trained with texts that end in zeros (open_clip)
    save_tokenizer(folder / 'tokenizer_2', pad=next(iter(vocabulary()[0])))
    (folder / 'model_index.json').write_text(json.dumps(MODEL_INDEX, indent=2), encoding='utf-8')


def save_single_file(
    path: Path, vae: AutoencoderKL, unet: UNet2DConditionModel, clip: open_clip.CLIP
) -> None:
    """Write a Stable Diffusion XL as the one file in which it was first published.

    Args:
        path (Path): A ``.safetensors`` file.
        vae (AutoencoderKL): The VAE.
        unet (UNet2DConditionModel): The UNet.
        clip (CLIP): Its text tower is both text encoders, in transformers' and in its own names.
    """
    text_tower = {f'conditioner.embedders.1.model.{name}': value
                  for name, value in clip.state_dict().items() if not name.startswith('visual.')}
    save_file(_on_its_own({
        **vae_names(vae), **unet_names(unet), **text_tower,
        **text_encoder_names(build_text_encoder(clip), 'conditioner.embedders.0.')}), path)


def _on_its_own(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone().contiguous() for name, value in weights.items()}


def make_stable_diffusion_xl(out_dir: Path, seed: int = 0) -> None:
    """Write a whole one with random weights, in all forms that such models come in.

    Args:
        out_dir (Path): Gets ``stable_diffusion_xl/``, ``stable_diffusion_xl_fp16/`` and
            ``stable_diffusion_xl.safetensors``.
        seed (int): Equal seeds give equal files. Defaults to 0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae, unet, clip = build_vae(), build_unet_xl(), build_clip()
        save_stable_diffusion_xl(out_dir / 'stable_diffusion_xl', vae, unet, clip)
        save_single_file(out_dir / 'stable_diffusion_xl.safetensors', vae, unet, clip)
        save_stable_diffusion_xl(
            out_dir / 'stable_diffusion_xl_fp16', vae.half(), unet.half(), clip.half(), 'fp16')
