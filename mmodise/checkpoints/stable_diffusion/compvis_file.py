"""Stable Diffusion as a single file in CompVis' layout, as it was first published."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..filling import build_empty, fill
from ..fit import CheckpointFit
from ..safe_loading import read_weights
from .compvis_layouts import STABLE_DIFFUSION, Layout

# What such files hold beside the networks: the noise schedule, which is made anew, moving averages
# of weights, the loss of the VAE's training, and what CLIP has for images and for scores.
_NOT_NEEDED = (
    'betas', '*alphas_cumprod*', 'posterior_*', 'lvlb_weights', 'logvar', 'scale_factor',
    'denoiser.*', 'model_ema.*', 'first_stage_model.model_ema.*', 'first_stage_model.loss.*',
    'cond_stage_model.*position_ids', 'cond_stage_model.*logit_scale',
    'cond_stage_model.*text_projection*', 'cond_stage_model.model.attn_mask',
    'cond_stage_model.model.visual.*', 'cond_stage_model.transformer.vision_model.*',
    'cond_stage_model.transformer.visual_projection.*', 'conditioner.embedders.*position_ids',
    'conditioner.embedders.*logit_scale', 'conditioner.embedders.0.*text_projection*',
    'conditioner.embedders.*.model.attn_mask', 'conditioner.embedders.*.model.visual.*')


class CompVisFile:
    """The networks of a single file of Stable Diffusion.

    The architecture is read from names and shapes, the renaming is diffusers' own. Weights that are
    not asked for stay on the disk.

    Args:
        path (str): A ``.ckpt`` or ``.safetensors`` file.
        parts (Sequence[str]): What will be asked for, by the names of the layout.
        architecture (Mapping[str, dict]): By part, settings that shapes do not tell.
        layout (Layout): What such a file holds. Defaults to that of versions 1.x and 2.x.

    Raises:
        ValueError: If the file cannot be read safely, or lacks a part; says what it looks like.
    """

    def __init__(
        self, path: str, parts: Sequence[str], architecture: Mapping[str, dict],
        layout: Layout = STABLE_DIFFUSION,
    ) -> None:
        found = read_weights(path)
        self._layout = layout
        self._weights = {
            name: value for name, value in found.items()
            if not any(fnmatchcase(name, pattern) for pattern in _NOT_NEEDED)}
        self._architecture = architecture
        if missing := [part for part in parts if not self._of(part)]:
            other = [what for pattern, what in layout.others.items()
                     if any(re.match(pattern, name) for name in found)]
            raise ValueError(
                'the file has no weights of '
                + ' and '.join(f'the {part} ({layout.parts[part].prefix}*)' for part in missing)
                + (f'; it looks like {other[0]}' if other else '')
                + f'. Its names begin with {", ".join(list(found)[:3])}')
        prefixes = tuple(part.prefix for part in layout.parts.values())
        if unused := [name for name in self._weights if not name.startswith(prefixes)]:
            print_log(
                f'{path}: {", ".join(unused[:3])}{" ..." if unused[3:] else ""} ({len(unused)} in '
                f'all) belong to no part of {layout.family}, and are not used.',
                'current', level=logging.WARNING)

    def _of(self, part: str) -> dict[str, Tensor]:
        prefix = self._layout.parts[part].prefix
        return {name: value for name, value in self._weights.items() if name.startswith(prefix)}

    def load(self, part: str, **settings: object) -> nn.Module:
        """Build a network, in float32 and evaluation mode.

        Args:
            part (str): A name of the layout.
            **settings: More settings, which come first.

        Raises:
            ValueError: If a weight is missing, unknown or of another shape, or a setting is needed
                that the file does not tell; names it.
        """
        spec, weights = self._layout.parts[part], self._of(part)
        settings = {**self._settings(part, _shapes(weights)), **settings}
        network = build_empty(spec.build, **settings)
        if part == 'text_encoder':  # what comes after the layer that is read, of 2.x
            layer = re.compile(r'cond_stage_model\.model\.transformer\.resblocks\.(\d+)\.')
            weights = {
                name: value for name, value in weights.items()
                if not (at := layer.match(name)) or int(at[1]) < network.config.num_hidden_layers}

        def rename(tensors: dict) -> dict:
            renamed = spec.rename(tensors, network)
            return {name: value for name, value in renamed.items() if value is not None}

        fit = _in_names_of_the_file(fill(network, rename(weights)), rename, _shapes(weights))
        if fit.missing or fit.reshaped or fit.unexpected:
            raise ValueError(f'the {part} ({spec.prefix}*) is not as expected: {fit}')
        return network.eval()

    def empty_caption(self, part: str, text_encoder: PreTrainedModel) -> Tensor:
        """Tokens of the empty caption, (1, L), for a text encoder of a CLIP."""
        config = text_encoder.config
        padding = [config.pad_token_id] * (config.max_position_embeddings - 2)
        return torch.tensor([[config.bos_token_id, config.eos_token_id, *padding]])

    def _settings(self, part: str, shapes: Mapping[str, tuple]) -> dict:
        spec, given = self._layout.parts[part], self._architecture.get(part, {})
        try:
            told = spec.settings(
                {name.removeprefix(spec.prefix): shape for name, shape in shapes.items()})
        except KeyError as error:
            lacks_encoder = part == 'vae' and error.args[0].startswith('encoder.')
            raise ValueError(
                f'the {part} lacks {spec.prefix}{error.args[0]}, which tells its architecture'
                + ('; images become latents by the encoder of a VAE' if lacks_encoder else '')
            ) from error
        for name, value in told.items():
            if name not in given and None in (value if isinstance(value, list) else [value]):
                raise ValueError(
                    f'the {part} has heads of a width that no file tells, and 64, as usual, does '
                    f'not fit: set architecture=dict({part}=dict({name}=...))')
        return {**told, **given}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def _in_names_of_the_file(
    fit: CheckpointFit, rename: Callable[[dict], dict], shapes: Mapping[str, tuple]
) -> CheckpointFit:
    """Put a fit into the names of the file, with what the renaming has left out."""
    origins = _origins(rename, shapes)
    unknown = [name for name in shapes if name not in origins.values()]
    unknown += [origins[name] for name in fit.unexpected]
    missing = fit.missing
    if missing:  # what would become it is found by trying names of the same patterns
        matches = [re.match(r'(\D*\d+(?:\.\d+)*|.+)\.(.+)', name) for name in shapes]
        tails = {match[2]: shapes[match[0]] for match in matches if match}
        heads = {match[1] for match in matches if match}
        likely = {f'{head}.{tail}': tails[tail] for head in sorted(heads) for tail in tails}
        origins = _origins(rename, likely)
        missing = [origins.get(name, name) for name in missing]
    return replace(fit, missing=tuple(missing), unexpected=tuple(unknown))


def _origins(rename: Callable[[dict], dict], shapes: Mapping[str, tuple]) -> dict[str, str]:
    """New names with the old ones: numbers are renamed in place of weights, to see them again."""
    names = list(shapes)
    numbers = {
        name: torch.tensor(i, dtype=torch.int16, device='cpu').expand(shapes[name])
        for i, name in enumerate(names)}
    return {new: names[value[(0, ) * value.ndim]] for new, value in rename(numbers).items()}
