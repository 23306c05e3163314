"""Loading Stable Diffusion 1.x and 2.x."""

from __future__ import annotations

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from .compvis_layouts import STABLE_DIFFUSION
from .source import Architecture, Family, opened

_FAMILY = Family(
    STABLE_DIFFUSION, dict(text_encoder=CLIPTextModel),
    'vae/ (makes latents of images; its inner maps are features), unet/ (features) and '
    'text_encoder/ with tokenizer/ (the condition of the empty caption)')


def load_stable_diffusion(
    pretrained: str, with_unet: bool = True, architecture: Architecture = None
) -> tuple[AutoencoderKL, UNet2DConditionModel | None, Tensor]:
    """Load Stable Diffusion's networks, and its text condition of the empty caption.

    Versions 1.x and 2.x, also those for 768 pixels and for v-prediction: only features are taken.
    The text encoder is run once, for "", and not kept. All is in float32.

    Args:
        pretrained (str): A local folder in diffusers' layout, a hub id, a single ``.ckpt`` or
            ``.safetensors`` file in CompVis' layout, or ``mmodise://`` weights (see
            :func:`mmodise.weights.locate`).
        with_unet (bool): Whether the UNet is needed. Defaults to True.
        architecture (Mapping, optional): Settings by part ('unet', 'vae', 'text_encoder'), in
            diffusers' and transformers' names. A single file tells its architecture by the shapes
            of its weights, but for the numbers of heads and the image size, which are taken for
            Stable Diffusion's own unless given, such as
            ``dict(unet=dict(attention_head_dim=8, sample_size=96))``.

    Returns:
        tuple: The VAE, the UNet (None if not needed) and the text encoder's last hidden state for
        "", (1, 77, C).

    Raises:
        FileNotFoundError: If a part of a folder is missing or cannot be read; names it, and says
            what is accepted.
        ValueError: If a file is unsafe, broken, or of another kind; or weights do not fit, or hold
            nan or infinity.
    """
    parts = ['vae', 'text_encoder', *(['unet'] if with_unet else [])]
    with opened(pretrained, _FAMILY, parts, architecture) as source:
        networks = source.load_vae_and_unet(with_unet)
        return *networks, source.encode_empty_caption('text_encoder').last_hidden_state


def load_text_encoder(pretrained: str, architecture: Architecture = None) -> CLIPTextModel:
    """Load Stable Diffusion's text encoder alone.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion`.
        architecture (Mapping, optional): Likewise.

    Raises:
        FileNotFoundError: As in :func:`load_stable_diffusion`.
        ValueError: Likewise.
    """
    with opened(pretrained, _FAMILY, ['text_encoder'], architecture) as source:
        return source.load('text_encoder')
