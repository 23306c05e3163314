"""Where Stable Diffusion's networks come from: a folder, a file or the hub."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTokenizer
from transformers.modeling_outputs import ModelOutput

from ...utils.spelling import misspelt
from ...weights import locate
from ..diffusers_folder import DiffusersFolder
from ..finite import check_finite
from ..model_folder import READERS, expect_family, of_another_family
from .compvis_file import CompVisFile
from .compvis_layouts import Layout

Architecture = Mapping[str, Mapping] | None


@dataclass(frozen=True)
class Family:
    """A kind of Stable Diffusion, as it is published.

    Attributes:
        layout (Layout): What a single file holds.
        text_encoders (dict[str, type]): By the names of diffusers' folders.
        networks (str): For messages, what a folder holds.
        has_sizes (bool): Whether the UNet is told sizes and pooled text. Defaults to False.
    """

    layout: Layout
    text_encoders: dict[str, type]
    networks: str
    has_sizes: bool = field(default=False)

    @property
    def classes(self) -> dict[str, type]:
        """The classes of its networks and tokenizers."""
        tokenizers = {part.replace('text_encoder', 'tokenizer'): CLIPTokenizer
                      for part in self.text_encoders}
        return dict(
            vae=AutoencoderKL, unet=UNet2DConditionModel, **self.text_encoders, **tokenizers)

    @property
    def accepted(self) -> str:
        """For messages, all that can be read."""
        prefixes = ', '.join(f'{part.prefix}*' for part in self.layout.parts.values())
        return (
            f"Accepted: a local folder in diffusers' layout: {self.networks}; a single local file, "
            f'.safetensors or .ckpt, in the layout of CompVis, with the same networks: {prefixes}; '
            'or the id of a repository on the hub, which needs network access (HF_HUB_OFFLINE=1 '
            'looks only at what was fetched before).')


class Source:
    """Gives the networks of a Stable Diffusion one by one, in float32.

    Args:
        pretrained (str): A local folder in diffusers' layout, a hub id, a single file, or
            ``mmodise://`` weights.
        family (Family): What is expected there.
        parts (list[str]): Networks that will be asked for.
        architecture (Mapping, optional): Settings by part, see :func:`load_stable_diffusion`.

    Raises:
        FileNotFoundError: If a part of a folder is missing.
        ValueError: If it is of another family, or a setting is not known.
    """

    def __init__(
        self, pretrained: str, family: Family, parts: list[str], architecture: Architecture
    ) -> None:
        self._family = family
        pretrained, architecture = locate(pretrained), _checked(architecture or {}, family)
        if os.path.isfile(pretrained) or pretrained.endswith(('.ckpt', '.safetensors')):
            self._of = CompVisFile(pretrained, parts, architecture, family.layout)
            return
        expect_family(pretrained, [family.layout.family])
        with_tokenizers = [*parts, *(part.replace('text_encoder', 'tokenizer') for part in parts
                                     if part in family.text_encoders)]
        self._of = DiffusersFolder(
            pretrained, {part: family.classes[part] for part in with_tokenizers}, architecture)

    def load(self, part: str, **settings: object) -> nn.Module:
        """Load a network, whose weights are finite.

        Args:
            part (str): Such as 'vae'.
            **settings: More settings, which come first.

        Raises:
            FileNotFoundError: If it cannot be loaded.
            ValueError: If it is broken, or holds nan or infinity.
        """
        network = self._of.load(part, **settings)
        check_finite((f'{part}.{name}', weight) for name, weight in network.state_dict().items())
        return network

    def load_vae_and_unet(
        self, with_unet: bool
    ) -> tuple[AutoencoderKL, UNet2DConditionModel | None]:
        """Load what makes latents, and the UNet if it is needed, which takes a time offset.

        Raises:
            FileNotFoundError: As :meth:`load`.
            ValueError: Likewise; also if the two do not go together, or are of another family.
        """
        vae = self.load('vae')
        if not with_unet:
            return vae, None
        # an identity "class embedding" is added to the time embedding
        unet = self.load('unet', class_embed_type='identity')
        has_sizes = unet.config.addition_embed_type == 'text_time'
        if has_sizes != self._family.has_sizes:  # on the hub; a local folder says it before
            raise ValueError(of_another_family(
                'Stable Diffusion XL' if has_sizes else 'Stable Diffusion',
                [self._family.layout.family]))
        if unet.config.in_channels != vae.config.latent_channels:
            raise ValueError(
                f'the UNet takes {unet.config.in_channels} channels and the VAE makes '
                f'{vae.config.latent_channels}; models for inpainting, depth or larger images '
                'cannot be used, a model that takes text only is needed')
        return vae, unet

    def encode_empty_caption(self, part: str) -> ModelOutput:
        """What a text encoder makes of ""; it is not kept.

        Args:
            part (str): Its name.
        """
        encoder = self.load(part)
        tokens = self._of.empty_caption(part, encoder).to(encoder.device)
        with torch.no_grad():  # all positions count: there is no attention mask
            return encoder(tokens, output_hidden_states=True)


@contextmanager
def opened(
    pretrained: str, family: Family, parts: list[str], architecture: Architecture
) -> Iterator[Source]:
    """Open a :class:`Source`, load on the CPU, and say in each error where it is from.

    Args:
        pretrained (str): As in :class:`Source`.
        family (Family): Likewise.
        parts (list[str]): Likewise.
        architecture (Mapping, optional): Likewise.
    """
    try:
        with torch.device('cpu'):
            yield Source(pretrained, family, parts, architecture)
    except (FileNotFoundError, ValueError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(
            f"{READERS[family.layout.family]}: pretrained='{pretrained}': {error}\n"
            f'  {family.accepted}') from error


def _checked(architecture: Mapping[str, Mapping], family: Family) -> Mapping[str, Mapping]:
    """Refuse parts and settings that there are not."""
    text = CLIPTextConfig().to_dict()
    known = dict(
        unet=inspect.signature(UNet2DConditionModel).parameters,
        vae=inspect.signature(AutoencoderKL).parameters,
        **dict.fromkeys(family.text_encoders, text))
    for part, settings in architecture.items():
        if part not in known:
            raise ValueError(f'architecture: {part!r} is not known; parts are {", ".join(known)}')
        for name in set(settings).difference(known[part]):
            near = misspelt([name], known[part]).get(name)
            raise ValueError(
                f'architecture: {part} has no setting {name!r}'
                + (f', did you mean {near!r}?' if near else ''))
    return architecture
