"""A generator as a folder in diffusers' layout, local or on the hub."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence

from diffusers import ModelMixin
from diffusers.utils import is_accelerate_available
from mmengine.logging import print_log
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .file_content import what_it_is

_DIFFUSERS_WEIGHTS = ('diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin')
_TRANSFORMERS_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')
_WHOLE_TOKENIZER = 'tokenizer.json'
_ENDINGS = ('.safetensors', '.bin')


class DiffusersFolder:
    """The networks of a folder. Diffusers and transformers read ``.bin`` files as weights only.

    Args:
        source (str): A local folder or a hub id.
        classes (Mapping[str, type]): What will be asked for: parts by name, such as 'vae', with
            their classes: models of diffusers or transformers, and tokenizers.
        architecture (Mapping[str, dict], optional): By part, settings that differ from its
            config.json. Defaults to None.

    Raises:
        FileNotFoundError: If a file is missing.
    """

    def __init__(
        self, source: str, classes: Mapping[str, type],
        architecture: Mapping[str, Mapping] | None = None,
    ) -> None:
        self._source, self._classes, self._architecture = source, classes, architecture or {}
        self._variants: dict[str, str] = {}
        if os.path.isdir(source):  # the hub is asked part by part
            self._check_files()

    def load(self, part: str, **settings: object) -> nn.Module:
        """Load a network, in float32 and evaluation mode.

        Args:
            part (str): Its name.
            **settings: More settings, which come first.

        Raises:
            FileNotFoundError: If it cannot be loaded.
            ValueError: If its files lack weights.
        """
        settings = {**self._architecture.get(part, {}), **settings}
        if issubclass(self._classes[part], ModelMixin):
            # without accelerate, diffusers warns and then does so
            settings['low_cpu_mem_usage'] = is_accelerate_available()
        if variant := self._variants.get(part):
            settings['variant'] = variant
        network, found = self._load(part, output_loading_info=True, **settings)
        if missing := sorted(found['missing_keys']):  # they would be random numbers
            raise ValueError(_lacking(part, missing))
        return network.float().eval()

    def load_tokenizer(self, part: str) -> PreTrainedTokenizerBase:
        """Load a tokenizer.

        Args:
            part (str): Its name.

        Raises:
            FileNotFoundError: If it cannot be loaded.
        """
        return self._load(part)

    def empty_caption(self, part: str, text_encoder: PreTrainedModel) -> Tensor:
        """Tokens of the empty caption, (1, L).

        Args:
            part (str): The name of the text encoder: 'text_encoder_2' has 'tokenizer_2'.
            text_encoder (PreTrainedModel): A CLIP's.

        Raises:
            FileNotFoundError: If the tokenizer cannot be loaded, or is of another model.
        """
        tokenizer = self.load_tokenizer(part.replace('text_encoder', 'tokenizer'))
        config = text_encoder.config
        if len(tokenizer) != config.vocab_size:
            raise FileNotFoundError(
                f'the tokenizer has {len(tokenizer)} words and the text encoder '
                f'{config.vocab_size}; they are not of the same model')
        length = config.max_position_embeddings
        return tokenizer(
            '', padding='max_length', max_length=length, return_tensors='pt').input_ids

    def _load(self, part: str, **settings: object):
        part_class = self._classes[part]
        try:
            return part_class.from_pretrained(self._source, subfolder=part, **settings)
        except Exception as error:  # of the hub, of the network, of broken or unsafe files
            where = '' if os.path.isdir(self._source) else ' (there is no such local folder)'
            raise FileNotFoundError(
                f"{part_class.__name__} cannot be loaded from '{part}'{where}: {error}"
            ) from error

    def _check_files(self) -> None:
        missing = []
        for part, part_class in self._classes.items():
            folder = os.path.join(self._source, part)
            found = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            for names in _files_of(part_class):
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


def _lacking(part: str, missing: Sequence[str]) -> str:
    """What is said of weights that a part's files do not have."""
    names = ', '.join(missing[:3]) + (', ...' if missing[3:] else '')
    words = f'the files of {part}/ lack {len(missing)} weights: {names}'
    if part.startswith('v') and all(name.startswith('encoder.') for name in missing):
        words += '; this VAE has no encoder, and images become latents by one'
    return words


def _files_of(part_class: type) -> list[tuple[str, ...]]:
    """What a part of a local folder must have: of each tuple one file.

    Weights may also be in pieces, with an index. Not every loader asks for files: without its own a
    tokenizer is made up.
    """
    if issubclass(part_class, PreTrainedTokenizerBase):
        names = dict.fromkeys(part_class.vocab_files_names.values())
        return [(name, _WHOLE_TOKENIZER) for name in names if name != _WHOLE_TOKENIZER]
    of_diffusers = issubclass(part_class, ModelMixin)
    return [('config.json', ), _DIFFUSERS_WEIGHTS if of_diffusers else _TRANSFORMERS_WEIGHTS]


def _variant_of(name: str, file: str) -> re.Match | None:
    """Match a file of weights, or the index of its pieces, as diffusers names those of variants."""
    stem, ending = name.rsplit('.', 1)
    return re.fullmatch(
        rf'{re.escape(stem)}\.(\w+)\.{ending}|{re.escape(name)}\.index\.(\w+)\.json', file)
