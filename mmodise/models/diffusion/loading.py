"""Where the weights of a Stable Diffusion come from."""

import os

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils import is_accelerate_available
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from ...weights import locate


def load_stable_diffusion(
    pretrained: str, with_unet: bool = True
) -> tuple[AutoencoderKL, UNet2DConditionModel | None, Tensor]:
    """Load Stable Diffusion's networks, and its text condition of the empty caption.

    The text encoder is run once, for "", and not kept.

    Args:
        pretrained (str): A local folder in diffusers' layout, a hub id, or ``mmodise://`` weights
            (see :func:`mmodise.weights.locate`).
        with_unet (bool): Whether the UNet is needed. Defaults to True.

    Returns:
        tuple: The VAE, the UNet (None if not needed) and the text encoder's last hidden state for
        "", padded with end-of-text tokens, (1, 77, C).

    Raises:
        FileNotFoundError: If a part is missing; names it, and says what is accepted.
    """
    pretrained = locate(pretrained)
    lean = dict(low_cpu_mem_usage=is_accelerate_available())  # else diffusers warns, then does so
    vae = _load(AutoencoderKL, pretrained, 'vae', **lean)
    unet = None
    if with_unet:  # an identity "class embedding" is diffusers' own door to the time embedding
        unet = _load(UNet2DConditionModel, pretrained, 'unet', class_embed_type='identity', **lean)
    tokenizer = _load(CLIPTokenizer, pretrained, 'tokenizer')
    text_encoder = _load(CLIPTextModel, pretrained, 'text_encoder').float().eval()
    # all 77 positions count: Stable Diffusion uses no attention mask
    length = text_encoder.config.max_position_embeddings
    tokens = tokenizer('', padding='max_length', max_length=length, return_tensors='pt')
    with torch.no_grad():
        return vae, unet, text_encoder(tokens.input_ids).last_hidden_state


def _load(part: type, pretrained: str, folder: str, **kwargs):
    try:
        return part.from_pretrained(pretrained, subfolder=folder, **kwargs)
    except (OSError, ValueError) as error:
        here = os.path.join(pretrained, folder)
        found = sorted(os.listdir(pretrained)) if os.path.isdir(pretrained) else 'no such folder'
        raise FileNotFoundError(
            f"StableDiffusionExtractor: pretrained='{pretrained}': {part.__name__} cannot be "
            f"loaded from '{here}' ({error}).\n  Found: {found}.\n  Accepted: a local folder in "
            "diffusers' layout (vae/, unet/, text_encoder/, tokenizer/), or the id of such a "
            'repository on the hub, which needs network access (HF_HUB_OFFLINE=1 looks only at '
            'what was fetched before).'
        ) from error
