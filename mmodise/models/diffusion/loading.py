"""Where the weights of a Stable Diffusion come from."""

import os

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils import is_accelerate_available
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from ...weights import locate

# What each part of a local folder must have, of each tuple one file; the weights also in pieces,
# with an index. Not every loader asks for it: without its files a tokenizer is made up.
_DIFFUSERS_WEIGHTS = ('diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin')
_TRANSFORMERS_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')
_FILES = dict(
    vae=(('config.json', ), _DIFFUSERS_WEIGHTS),
    unet=(('config.json', ), _DIFFUSERS_WEIGHTS),
    tokenizer=(('vocab.json', 'tokenizer.json'), ('merges.txt', 'tokenizer.json')),
    text_encoder=(('config.json', ), _TRANSFORMERS_WEIGHTS))
_ACCEPTED = (
    "Accepted: a local folder in diffusers' layout (vae/, unet/, text_encoder/, tokenizer/), or "
    'the id of such a repository on the hub, which needs network access (HF_HUB_OFFLINE=1 looks '
    'only at what was fetched before). A single file becomes such a folder by diffusers: '
    'StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER).')


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
        FileNotFoundError: If a part is missing or cannot be read; names it, and says what is
            accepted.
    """
    pretrained = locate(pretrained)
    _check_files(pretrained, [part for part in _FILES if part != 'unet' or with_unet])
    lean = dict(low_cpu_mem_usage=is_accelerate_available())  # else diffusers warns, then does so
    vae = _load(AutoencoderKL, pretrained, 'vae', **lean)
    unet = None
    if with_unet:  # an identity "class embedding" is diffusers' own door to the time embedding
        unet = _load(UNet2DConditionModel, pretrained, 'unet', class_embed_type='identity', **lean)
    tokenizer = _load(CLIPTokenizer, pretrained, 'tokenizer')
    text_encoder = _load(CLIPTextModel, pretrained, 'text_encoder').float().eval()
    if len(tokenizer) != text_encoder.config.vocab_size:
        raise _error(
            pretrained, f'the tokenizer has {len(tokenizer)} words and the text encoder '
            f'{text_encoder.config.vocab_size}; they are not of the same model')
    # all 77 positions count: Stable Diffusion uses no attention mask
    length = text_encoder.config.max_position_embeddings
    tokens = tokenizer('', padding='max_length', max_length=length, return_tensors='pt')
    with torch.no_grad():
        return vae, unet, text_encoder(tokens.input_ids).last_hidden_state


def _check_files(pretrained: str, parts: list[str]) -> None:
    """Look for the files of a local folder; the hub is asked part by part."""
    if os.path.isfile(pretrained):
        raise _error(pretrained, 'this is a file')
    if not os.path.isdir(pretrained):
        return
    missing = []
    for part in parts:
        folder = os.path.join(pretrained, part)
        found = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        missing += [
            f'{part}/{" or ".join(names)}; {part}/ has {", ".join(found) or "no files"}'
            for names in _FILES[part]
            if not any(name in found or f'{name}.index.json' in found for name in names)
        ]
    if missing:
        raise _error(pretrained, 'this folder lacks\n    ' + '\n    '.join(missing))


def _load(part: type, pretrained: str, folder: str, **kwargs):
    try:
        return part.from_pretrained(pretrained, subfolder=folder, **kwargs)
    except Exception as error:  # of the hub, of the network, of broken files
        where = '' if os.path.isdir(pretrained) else ' (there is no such local folder)'
        reason = f"{part.__name__} cannot be loaded from '{folder}'{where}: {error}"
        raise _error(pretrained, reason) from error


def _error(pretrained: str, reason: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"StableDiffusionExtractor: pretrained='{pretrained}': {reason}\n  {_ACCEPTED}")
