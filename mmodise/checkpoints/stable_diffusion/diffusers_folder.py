"""Stable Diffusion as a folder in diffusers' layout, local or on the hub."""

import logging
import os
import re
from collections.abc import Mapping, Sequence

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils import is_accelerate_available
from mmengine.logging import print_log
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ..file_content import what_it_is

# What each part of a local folder must have, of each tuple one file; the weights also in pieces,
# with an index. Not every loader asks for it: without its files a tokenizer is made up.
_DIFFUSERS_WEIGHTS = ('diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin')
_TRANSFORMERS_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')
_FILES = dict(
    vae=(('config.json', ), _DIFFUSERS_WEIGHTS),
    unet=(('config.json', ), _DIFFUSERS_WEIGHTS),
    tokenizer=(('vocab.json', 'tokenizer.json'), ('merges.txt', 'tokenizer.json')),
    text_encoder=(('config.json', ), _TRANSFORMERS_WEIGHTS))
_ENDINGS = ('.safetensors', '.bin')
_CLASSES = dict(
    vae=AutoencoderKL, unet=UNet2DConditionModel, text_encoder=CLIPTextModel,
    tokenizer=CLIPTokenizer)


class DiffusersFolder:
    """The networks of a folder. Diffusers and transformers read ``.bin`` files as weights only.

    Args:
        source (str): A local folder or a hub id.
        parts (Sequence[str]): What will be asked for: 'vae', 'unet', 'text_encoder'.
        architecture (Mapping[str, dict]): By part, settings that differ from its config.json.

    Raises:
        FileNotFoundError: If a file is missing.
    """

    def __init__(
        self, source: str, parts: Sequence[str], architecture: Mapping[str, dict]
    ) -> None:
        self._source, self._architecture = source, architecture
        self._variants: dict[str, str] = {}
        if os.path.isdir(source):  # the hub is asked part by part
            self._check_files([*parts, *(['tokenizer'] if 'text_encoder' in parts else [])])

    def load(self, part: str, **settings: object) -> nn.Module:
        """Load a network, in float32 and evaluation mode.

        Args:
            part (str): 'vae', 'unet' or 'text_encoder'.
            **settings: More settings, which come first.

        Raises:
            FileNotFoundError: If it cannot be loaded.
        """
        settings = {**self._architecture.get(part, {}), **settings}
        if part != 'text_encoder':  # without accelerate, diffusers warns and then does so
            settings['low_cpu_mem_usage'] = is_accelerate_available()
        if variant := self._variants.get(part):
            settings['variant'] = variant
        return self._load(part, **settings).float().eval()

    def empty_caption(self, text_encoder: CLIPTextModel) -> Tensor:
        """Tokens of the empty caption, (1, L).

        Raises:
            FileNotFoundError: If the tokenizer cannot be loaded, or is of another model.
        """
        tokenizer, config = self._load('tokenizer'), text_encoder.config
        if len(tokenizer) != config.vocab_size:
            raise FileNotFoundError(
                f'the tokenizer has {len(tokenizer)} words and the text encoder '
                f'{config.vocab_size}; they are not of the same model')
        length = config.max_position_embeddings
        return tokenizer(
            '', padding='max_length', max_length=length, return_tensors='pt').input_ids

    def _load(self, part: str, **settings: object):
        part_class = _CLASSES[part]
        try:
            return part_class.from_pretrained(self._source, subfolder=part, **settings)
        except Exception as error:  # of the hub, of the network, of broken or unsafe files
            where = '' if os.path.isdir(self._source) else ' (there is no such local folder)'
            raise FileNotFoundError(
                f"{part_class.__name__} cannot be loaded from '{part}'{where}: {error}"
            ) from error

    def _check_files(self, parts: Sequence[str]) -> None:
        missing = []
        for part in parts:
            folder = os.path.join(self._source, part)
            found = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            for names in _FILES[part]:
                if any(name in found or f'{name}.index.json' in found for name in names):
                    continue
                if variant := self._find_variant(part, found, names):
                    self._variants[part] = variant
                else:
                    there = ', '.join(found) or 'no files'
                    missing.append(f'{part}/{" or ".join(names)}; {part}/ has {there}')
            missing += [f'{part}/{name}: it {what}' for name in found if name.endswith(_ENDINGS)
                        and (what := what_it_is(os.path.join(folder, name)))]
        if missing:
            raise FileNotFoundError('this folder lacks\n    ' + '\n    '.join(missing))

    def _find_variant(self, part: str, found: Sequence[str], names: Sequence[str]) -> str | None:
        """The variant, such as 'fp16', of which a folder has weights where it lacks the plain ones.

        Raises:
            FileNotFoundError: If there are several, none of them 'fp16'.
        """
        weights = [name for name in names if name.endswith(_ENDINGS)]
        variants = {match[1] or match[2] for name in weights for file in found
                    if (match := _variant_of(name, file))}
        if len(variants) > 1 and 'fp16' not in variants:
            raise FileNotFoundError(
                f'{part}/ has weights of several variants, {", ".join(sorted(variants))}, and no '
                f'plain ones: keep one of them, or rename its files to {names[0]}')
        chosen = 'fp16' if 'fp16' in variants else next(iter(variants), None)
        if chosen:
            print_log(
                f"{part}/ has no {names[0]}; its variant '{chosen}' is read.", 'current',
                level=logging.WARNING)
        return chosen


def _variant_of(name: str, file: str) -> re.Match | None:
    """Match a file of weights, or the index of its pieces, as diffusers names those of variants."""
    stem, ending = name.rsplit('.', 1)
    return re.fullmatch(
        rf'{re.escape(stem)}\.(\w+)\.{ending}|{re.escape(name)}\.index\.(\w+)\.json', file)
