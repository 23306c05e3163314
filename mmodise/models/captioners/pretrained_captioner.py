"""Captions by an off-the-shelf captioner."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from mmdet.registry import MODELS
from torch import Tensor

from ...weights import locate
from ..frozen import FrozenModule, FrozenNetworks
from .text_captioner import TextCaptioner

#: By the ``model_type`` of config.json, the class of transformers that it is read with.
_CLASSES = {
    'blip': 'BlipForConditionalGeneration',
    'vision-encoder-decoder': 'VisionEncoderDecoderModel',
}


@MODELS.register_module()
class PretrainedCaptioner(FrozenModule, TextCaptioner):
    """Captions each window with a frozen captioner of transformers.

    Windows are resized to the captioner's own size, not keeping the aspect ratio (bicubic,
    antialiased). The likeliest word follows each time, so that equal windows have equal captions
    and no random number is drawn. Nothing is learned here.

    Args:
        pretrained (str): A folder in transformers' format, or the id of a repository on the hub: a
            BLIP, or a ``VisionEncoderDecoderModel``, with its tokenizer and
            ``preprocessor_config.json``.
        max_words (int): Tokens that a caption has at most. Defaults to 40.

    Raises:
        FileNotFoundError: If it cannot be read.
        ValueError: If it is another kind of model; says which.
    """

    def __init__(self, pretrained: str, max_words: int = 40) -> None:
        folder = locate(pretrained)
        super().__init__(FrozenNetworks.obtain(
            ('captioner', folder), lambda: _load(folder)))
        self.max_words = max_words

    @torch.no_grad()
    def forward(self, images: Tensor, captions: Sequence[str] = ()) -> list[str]:
        """Look at windows, (B, 3, S, S) in [0, 1], and say what is there."""
        frozen = self.frozen
        pixels = F.interpolate(
            images.float(), frozen.size, mode='bicubic', align_corners=False, antialias=True)
        with self.own_precision():
            tokens = frozen.model.generate(
                pixel_values=(pixels - frozen.mean) / frozen.std, max_new_tokens=self.max_words,
                do_sample=False, num_beams=1)
        return [text.strip() for text in
                frozen.tokenizer.batch_decode(tokens, skip_special_tokens=True)]


def _load(folder: str) -> FrozenNetworks:
    kind = _CLASSES[_kind_of(folder)]
    with torch.device('cpu'):
        model = _read(folder, kind, getattr(transformers, kind).from_pretrained).float()
        tokenizer = _read(folder, 'tokenizer', transformers.AutoTokenizer.from_pretrained)
        settings, _ = _read(
            folder, 'preprocessor_config.json',
            transformers.ImageProcessingMixin.get_image_processor_dict)
        mean, std = (torch.tensor(settings[f'image_{name}']).view(3, 1, 1)
                     for name in ('mean', 'std'))
    return FrozenNetworks(
        ('captioner', folder), model=model, tokenizer=tokenizer, mean=mean, std=std,
        size=_size(settings['size']))


def _kind_of(folder: str) -> str:
    """The ``model_type`` of a captioner."""
    expected = 'expected a captioner of transformers: ' + ' or '.join(_CLASSES)
    try:
        config, _ = transformers.PretrainedConfig.get_config_dict(folder)
    except OSError as error:
        raise FileNotFoundError(
            f"PretrainedCaptioner: pretrained='{folder}' cannot be read ({error}); {expected}, in "
            'a local folder with config.json, or on the hub, which needs network access') from error
    kind = config.get('model_type')
    if kind not in _CLASSES:
        raise ValueError(
            f"PretrainedCaptioner: pretrained='{folder}' is "
            f'{kind or config.get("_class_name") or _pipeline_of(folder)}; {expected}')
    return kind


def _pipeline_of(folder: str) -> str:
    """What a folder without a config of its own is."""
    index = Path(folder, 'model_index.json')
    if index.is_file():
        return json.loads(index.read_text(encoding='utf-8'))['_class_name']
    return f'no model, its files are {", ".join(sorted(os.listdir(folder))) or "none"}'


def _read(folder: str, part: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(folder)
    except Exception as error:  # of the hub, of the network, of broken or unsafe files
        raise FileNotFoundError(
            f"PretrainedCaptioner: pretrained='{folder}': {part} cannot be loaded: {error}"
        ) from error


def _size(size: int | dict[str, int]) -> tuple[int, int]:
    """Height and width of what the captioner looks at."""
    if isinstance(size, int):
        return size, size
    side = size.get('shortest_edge')
    return size.get('height', side), size.get('width', side)
