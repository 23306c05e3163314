"""Vocabularies with the embeddings of their names, in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..models import ODISE, FrozenCLIP
from ..models.clip import Prompt, Text, fill_prompt
from ..utils import WholeFileBackend
from ..vocabulary import Vocabulary

ENDING = '.safetensors'
_FORMAT = 'mmodise vocabulary 1'
# what the embedding of a name may differ by from machine to machine, and in half precision
_TOLERANCE = 0.03


def is_saved(source: object) -> bool:
    """Whether a vocabulary is given as the path of a saved one."""
    return isinstance(source, (str, Path)) and os.fspath(source).strip().endswith(ENDING)


def save_vocabulary(path: str | Path, model: ODISE, vocabulary: Vocabulary) -> None:
    """Write a vocabulary and what CLIP makes of its names in the prompts of a model.

    Args:
        path (str | Path): Ends with ``.safetensors``.
        model (ODISE): Its head and its classifier say which CLIP, and which prompts.
        vocabulary (Vocabulary): The names.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the path ends otherwise.
    """
    if not is_saved(path):
        raise ValueError(f'{path}: a saved vocabulary ends with {ENDING}.')
    prompts, tensors = [], {}
    for clip, prompt in model.name_encoders():
        tensors[f'embeddings{len(prompts)}'] = clip.encode_names(vocabulary, prompt).cpu()
        prompts.append(prompt)
    about = dict(things=vocabulary.things, stuff=vocabulary.stuff, prompts=prompts)
    content = save(tensors, dict(format=_FORMAT, about=json.dumps(about, ensure_ascii=False)))
    WholeFileBackend().put(content, path)


def load_vocabulary(path: str | Path, model: ODISE) -> Vocabulary:
    """Read a vocabulary, and let the CLIP of a model know what its names are.

    Args:
        path (str | Path): Of :func:`save_vocabulary`.
        model (ODISE): Its CLIP must be the one that it was saved with, and its prompts be among
            those; another one is found out by embedding the first and the last name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else, or was saved with another CLIP or for other prompts.
    """
    path = Path(os.fspath(path).strip())
    if not path.is_file():
        raise FileNotFoundError(f'There is no vocabulary {path}.')
    about, tensors = _read(path)
    vocabulary = Vocabulary(
        *(tuple(map(tuple, about[kind])) for kind in ('things', 'stuff')))
    for clip, prompt in model.name_encoders():
        saved = [tensor for other, tensor in zip(about['prompts'], tensors, strict=True)
                 if _as_prompt(other) == prompt]
        if not saved:
            raise ValueError(
                f'{path} holds names in the prompts {about["prompts"]}; this model also puts them '
                f'into {prompt!r}. Save the vocabulary with this model.')
        texts = [fill_prompt(prompt, vocabulary.names[i]) for i in (0, -1)]
        clip.remember_names(vocabulary, prompt, _of_clip(path, clip, texts, saved))
    return vocabulary


def _read(path: Path) -> tuple[dict, list[Tensor]]:
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            if metadata.get('format') != _FORMAT:
                raise ValueError(
                    f'{path} is no saved vocabulary, but another file of safetensors. Make one '
                    'with ODISEInferencer.save_vocabulary.')
            about = json.loads(metadata['about'])
            tensors = [file.get_tensor(f'embeddings{i}') for i in range(len(about['prompts']))]
    except (SafetensorError, OSError) as error:
        raise ValueError(f'{path} cannot be read as a saved vocabulary: {error}.') from error
    count = sum(len(names) for kind in ('things', 'stuff') for names in about[kind])
    if any(tensor.ndim != 2 or len(tensor) != count for tensor in tensors):
        raise ValueError(
            f'{path} cannot be read as a saved vocabulary: it has {count} names, and embeddings of '
            f'{", ".join(str(len(tensor)) for tensor in tensors)}.')
    return about, tensors


def _as_prompt(saved: str | list[str]) -> Prompt:
    """A prompt as JSON holds it."""
    return saved if isinstance(saved, str) else tuple(saved)


def _of_clip(
    path: Path, clip: FrozenCLIP, texts: Sequence[Text], saved: Sequence[Tensor]
) -> Tensor:
    """Which of the saved embeddings, of the first and the last text, are those of a CLIP."""
    own = clip.encode_new_texts(texts).cpu()
    for embeddings in saved:
        known = embeddings[[0, -1]]
        if known.shape == own.shape and torch.dist(known, own) <= _TOLERANCE * own.norm():
            return embeddings
    first = texts[0] if isinstance(texts[0], str) else texts[0][0]
    raise ValueError(
        f'{path} was saved with another CLIP: it embeds {first!r} otherwise, or at another '
        f'width ({saved[0].shape[1]}; here {own.shape[1]}). Save the vocabulary with this model.')
