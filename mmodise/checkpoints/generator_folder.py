"""A generator that comes as a folder in diffusers' layout only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from transformers.modeling_outputs import ModelOutput

from ..weights import locate
from .diffusers_folder import DiffusersFolder
from .finite import check_finite
from .model_folder import READERS, expect_family


class GeneratorFolder(DiffusersFolder):
    """Gives the networks of a folder one by one, in float32; their weights are finite."""

    def load(self, part: str, **settings: object) -> nn.Module:
        """Load a network.

        Args:
            part (str): Its name.
            **settings: More settings, which come first.

        Raises:
            FileNotFoundError: If it cannot be loaded.
            ValueError: If its files lack weights, or hold nan or infinity.
        """
        network = super().load(part, **settings)
        check_finite((f'{part}.{name}', weight) for name, weight in network.state_dict().items())
        return network

    def encode_empty_caption(self, part: str) -> ModelOutput:
        """What a CLIP's text encoder makes of "", with all hidden states; it is not kept.

        Args:
            part (str): Its name.
        """
        encoder = self.load(part)
        tokens = self.empty_caption(part, encoder).to(encoder.device)
        with torch.no_grad():  # all positions count: there is no attention mask
            return encoder(tokens, output_hidden_states=True)


@contextmanager
def opened_folder(
    pretrained: str, family: str, classes: Mapping[str, type], contents: str
) -> Iterator[GeneratorFolder]:
    """Open a folder, load on the CPU, and say in each error where it is from.

    Args:
        pretrained (str): A local folder, a hub id, or ``mmodise://`` weights.
        family (str): What it must be, in the words of :func:`family_of`.
        classes (Mapping[str, type]): What will be asked for, see :class:`DiffusersFolder`.
        contents (str): For messages, what such a folder holds.

    Raises:
        FileNotFoundError: If something is missing there.
        ValueError: If it is of another family, or broken.
    """
    try:
        with torch.device('cpu'):
            source = locate(pretrained)
            if os.path.isfile(source) or source.endswith(('.ckpt', '.safetensors')):
                raise ValueError(
                    'a single file of this family is not read; diffusers makes a folder of it: '
                    "from_single_file('FILE').save_pretrained('FOLDER')")
            expect_family(source, [family])
            yield GeneratorFolder(source, classes)
    except (FileNotFoundError, ValueError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(
            f"{READERS[family]}: pretrained='{pretrained}': {error}\n"
            f"  Accepted: a local folder in diffusers' layout: {contents}; or the id of a "
            'repository on the hub, which needs network access (HF_HUB_OFFLINE=1 looks only at '
            'what was fetched before).') from error
