"""Loading Stable Diffusion from a folder, a file or the hub."""

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from ...utils.spelling import misspelt
from ...weights import locate
from ..finite import check_finite
from .compvis_file import CompVisFile
from .diffusers_folder import DiffusersFolder

Architecture = Mapping[str, Mapping] | None

_ACCEPTED = (
    "Accepted: a local folder in diffusers' layout: vae/ (makes latents of images; its inner maps "
    'are features), unet/ (features) and text_encoder/ with tokenizer/ (the condition of the empty '
    'caption); a single local file, .safetensors or .ckpt, in the layout of CompVis, with the same '
    'three networks: first_stage_model.*, model.diffusion_model.*, cond_stage_model.*; or the id '
    'of a repository on the hub, which needs network access (HF_HUB_OFFLINE=1 looks only at what '
    'was fetched before).')


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
    with _explained(pretrained), torch.device('cpu'):
        parts = ['vae', 'text_encoder', *(['unet'] if with_unet else [])]
        source = _open(pretrained, parts, architecture)
        vae = source.load('vae')
        unet = None
        if with_unet:  # an identity "class embedding" is added to the time embedding
            unet = source.load('unet', class_embed_type='identity')
            if unet.config.in_channels != vae.config.latent_channels:
                raise ValueError(
                    f'the UNet takes {unet.config.in_channels} channels and the VAE makes '
                    f'{vae.config.latent_channels}; models for inpainting, depth or larger images '
                    'cannot be used, a model that takes text only is needed')
        text_encoder = source.load('text_encoder')
        check_finite(
            (f'{part}.{name}', weight)
            for part, network in (('vae', vae), ('unet', unet), ('text_encoder', text_encoder))
            if network is not None for name, weight in network.state_dict().items())
        tokens = source.empty_caption(text_encoder)
        with torch.no_grad():  # all 77 positions count: there is no attention mask
            return vae, unet, text_encoder(tokens).last_hidden_state


def load_text_encoder(pretrained: str, architecture: Architecture = None) -> CLIPTextModel:
    """Load Stable Diffusion's text encoder alone.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion`.
        architecture (Mapping, optional): Likewise.

    Raises:
        FileNotFoundError: As in :func:`load_stable_diffusion`.
        ValueError: Likewise.
    """
    with _explained(pretrained), torch.device('cpu'):
        return _open(pretrained, ['text_encoder'], architecture).load('text_encoder')


@contextmanager
def _explained(pretrained: str) -> Iterator[None]:
    """Put into each error where it is from, and what is accepted."""
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(
            f"StableDiffusionExtractor: pretrained='{pretrained}': {error}\n  {_ACCEPTED}"
        ) from error


def _open(
    pretrained: str, parts: list[str], architecture: Architecture
) -> CompVisFile | DiffusersFolder:
    pretrained = locate(pretrained)
    is_file = os.path.isfile(pretrained) or pretrained.endswith(('.ckpt', '.safetensors'))
    kind = CompVisFile if is_file else DiffusersFolder
    return kind(pretrained, parts, _checked(architecture or {}))


def _checked(architecture: Mapping[str, Mapping]) -> Mapping[str, Mapping]:
    """Refuse parts and settings that there are not."""
    known = dict(
        unet=inspect.signature(UNet2DConditionModel).parameters,
        vae=inspect.signature(AutoencoderKL).parameters,
        text_encoder=CLIPTextConfig().to_dict())
    for part, settings in architecture.items():
        if part not in known:
            raise ValueError(f'architecture: {part!r} is not known; parts are {", ".join(known)}')
        for name in set(settings).difference(known[part]):
            near = misspelt([name], known[part]).get(name)
            raise ValueError(
                f'architecture: {part} has no setting {name!r}'
                + (f', did you mean {near!r}?' if near else ''))
    return architecture
