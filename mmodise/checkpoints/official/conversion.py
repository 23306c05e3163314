"""Official checkpoints to ours, and back."""

from __future__ import annotations

import io
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .names import CLIP_PREFIX, PROJECTIONS, TITLES, Pair, kind_of, name_pairs

EMPTY_WEIGHT = 'criterion.empty_weight'
_NO_OBJECT_WEIGHT = 0.1  # official release
_KEPT_BYTES = 2**20  # what is dropped and not larger is kept for the way back

# The official loader renames the weights of these modules if it does not find this version.
_VERSION_2 = ('sem_seg_head', 'sem_seg_head.predictor')


@dataclass(frozen=True)
class Conversion:
    """A converted checkpoint.

    Args:
        kind (str): 'label', 'caption' or 'fcclip'.
        checkpoint (dict): What to save: one of ours, with ``state_dict`` and ``meta``, or an
            official one, with ``model``.
        num_parameters (dict[str, int]): Of each part of the model.
        dropped (dict[str, str]): What was left out, and why.
    """

    kind: str
    checkpoint: dict
    num_parameters: dict[str, int]
    dropped: dict[str, str]


def is_official(checkpoint: object) -> bool:
    """Whether a checkpoint is of the official ODISE or FC-CLIP."""
    weights = checkpoint.get('model') if isinstance(checkpoint, Mapping) else None
    starts = ('backbone.feature_projections.', 'category_head.', 'word_head.', 'void_embedding.',
              'sem_seg_head.predictor._mask_pooling_proj.')
    return isinstance(weights, Mapping) and any(str(name).startswith(starts) for name in weights)


def from_official(checkpoint: dict) -> Conversion:
    """Convert an official checkpoint to one of ours.

    What :func:`to_official` needs to make the same file again is kept in ``meta['official']``. The
    frozen CLIP that one of FC-CLIP's may hold is left out: :class:`FrozenCLIP` reads it from the
    official file itself.

    Args:
        checkpoint (dict): Weights by their official names in ``model``: tensors, also on the meta
            device, or NumPy's arrays.

    Raises:
        ValueError: If it is another kind of checkpoint, or a weight is unknown, missing or no
            tensor; names it.
    """
    if not is_official(checkpoint):
        raise ValueError(
            f'This is no official checkpoint of ODISE or FC-CLIP: {describe(checkpoint)}.')
    weights = checkpoint['model']
    tensors = {name: _as_tensor(name, value) for name, value in weights.items()}
    kind = kind_of(tensors)
    if kind is None:
        raise ValueError(
            'The official checkpoint is of no known kind: a label model has category_head.*, a '
            'caption model word_head.*, FC-CLIP void_embedding.*; none is there.')
    names, dropped = list(tensors), {}
    if kind == 'fcclip':
        tensors, clip = _without_clip(tensors)
        if clip:
            dropped[f'{CLIP_PREFIX}*'] = (
                f'{len(clip)} tensors of the frozen CLIP; FrozenCLIP reads them from the official '
                'file')
    pairs = name_pairs(kind, tensors)
    optional = _needless_shortcuts(pairs, tensors) | ({EMPTY_WEIGHT} if kind == 'fcclip' else set())
    _check_names(tensors, [pair.official for pair in pairs], optional)
    ours = {pair.official: pair.ours for pair in pairs}
    state_dict = OrderedDict(
        (ours[name], value) for name, value in tensors.items() if ours[name] is not None)
    if EMPTY_WEIGHT in tensors:
        dropped[EMPTY_WEIGHT] = 'our loss makes the weights of the classes from the config'
    entries = {}
    for name, value in checkpoint.items():
        if name != 'model':
            kept = _fits_in_meta(value)
            dropped[name] = 'kept in meta, for the way back' if kept else 'no weights of the model'
            entries.update({name: value} if kept else {})
    official = dict(
        names=names, metadata=getattr(weights, '_metadata', None),
        empty_weight=tensors.get(EMPTY_WEIGHT), entries=entries)
    return Conversion(
        kind, dict(meta=dict(official=official), state_dict=state_dict),
        _count_parameters(pairs, tensors), dropped)


def to_official(
    checkpoint: dict, num_classes: int | None = None, clip: Mapping[str, Tensor] | None = None
) -> Conversion:
    """Convert a checkpoint of ours to the official format.

    Args:
        checkpoint (dict): Ours, converted before or trained with mmodise.
        num_classes (int, optional): Classes of the training vocabulary of a label model. None: as
            the checkpoint tells. Defaults to None.
        clip (Mapping[str, Tensor], optional): For FC-CLIP: weights of its CLIP in open_clip's
            names, which the file is to hold as well. Defaults to None.

    Raises:
        ValueError: If it is another kind of checkpoint, a weight is unknown or missing, or the
            number of classes is not known; or there is a CLIP for a model of ODISE.
    """
    weights = checkpoint.get('state_dict') if isinstance(checkpoint, Mapping) else None
    kind = kind_of(weights) if isinstance(weights, Mapping) else None
    if kind is None:
        raise ValueError(
            f'This is no checkpoint of an ODISE of ours: {describe(checkpoint)}. Expected '
            "weights in 'state_dict', panoptic_head.no_object (label model), "
            'panoptic_head.cls_embed.* (caption model) or panoptic_head.void_embedding.* (FC-CLIP) '
            'among them.')
    if clip and kind != 'fcclip':
        raise ValueError(
            f'This checkpoint is of an {TITLES[kind]} model, whose official files hold no CLIP: '
            "leave it out; only FC-CLIP's do.")
    pairs = name_pairs(kind, weights)
    expected = [pair.ours for pair in pairs if pair.ours is not None]
    tensors = {pair.official: weights[pair.ours] for pair in pairs if pair.ours in weights}
    official = {pair.official: pair.ours for pair in pairs}
    needless = {official[name] for name in _needless_shortcuts(pairs, tensors)}
    _check_names(weights, expected, needless)
    meta = checkpoint.get('meta', {})
    kept = meta.get('official', {})
    if 'empty_weight' not in kept or num_classes is not None:
        tensors[EMPTY_WEIGHT] = _empty_weight(kind, num_classes, meta)
    elif kept['empty_weight'] is not None:
        tensors[EMPTY_WEIGHT] = kept['empty_weight']
    ordered = [pair.official for pair in pairs if pair.official in tensors]
    tensors |= {CLIP_PREFIX + name: value for name, value in (clip or {}).items()}
    names = [name for name in kept.get('names', ())
             if clip or not name.startswith(CLIP_PREFIX)]
    if set(names) != tensors.keys():
        names = [*dict.fromkeys([*ordered, *tensors])]
    model = OrderedDict((name, tensors[name]) for name in names)
    metadata = kept['metadata'] if 'metadata' in kept else _metadata(kind, names)
    if metadata is not None:
        model._metadata = metadata
    dropped = {
        name: "mmengine's own" for name in checkpoint if name not in ('state_dict', 'meta')}
    return Conversion(
        kind, dict(model=model, **kept.get('entries', {})), _count_parameters(pairs, tensors),
        dropped)


def _without_clip(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """What is trained, and the names of the frozen CLIP."""
    clip = [name for name in tensors if name.startswith(CLIP_PREFIX)]
    return {name: tensors[name] for name in tensors if name not in set(clip)}, clip


def _as_tensor(name: str, value: object) -> Tensor:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if not isinstance(value, Tensor):
        raise ValueError(
            f"The official checkpoint's {name!r} is no tensor: found {type(value).__name__}.")
    return value.detach()


def _check_names(found: Mapping, expected: Sequence[str], optional: set[str]) -> None:
    """Account for every name.

    Raises:
        ValueError: Names those that are unknown, and those that are missing.
    """
    known = set(expected)
    unknown = [str(name) for name in found if name not in known]
    missing = [name for name in expected if name not in found and name not in optional]
    problems = [
        f'{len(names)} {what}: {", ".join(names[:20])}' + (', ...' if len(names) > 20 else '')
        for what, names in (('unknown', unknown), ('missing', missing)) if names]
    if problems:
        raise ValueError(f'Not every weight can be accounted for. {"; ".join(problems)}.')


def _needless_shortcuts(pairs: Sequence[Pair], tensors: Mapping[str, Tensor]) -> set[str]:
    """Official names of the shortcuts of projections that do not change the width."""
    needless = set()
    for pair in pairs:
        start, shortcut, _ = pair.official.partition('shortcut.')
        if pair.part == PROJECTIONS and shortcut:
            first, last = (tensors.get(f'{start}conv{i}.weight') for i in (1, 3))
            if first is None or last is None or first.shape[1] == last.shape[0]:
                needless.add(pair.official)
    return needless


def _count_parameters(pairs: Sequence[Pair], tensors: Mapping[str, Tensor]) -> dict[str, int]:
    counts = Counter()
    for pair in pairs:
        if pair.ours is not None and pair.official in tensors:
            counts[pair.part] += tensors[pair.official].numel()
    return dict(counts)


def _fits_in_meta(value: object) -> bool:
    """Whether a value is small, and can be read again without pickle."""
    file = io.BytesIO()
    torch.save(value, file)
    if file.tell() > _KEPT_BYTES:
        return False
    file.seek(0)
    try:
        torch.load(file, weights_only=True)
    except Exception:  # torch does not say which
        return False
    return True


def _empty_weight(kind: str, num_classes: int | None, meta: Mapping) -> Tensor:
    """Weights of the classes in the official loss: ones, and less for "no object" (official)."""
    if kind == 'caption':
        num_classes = 1  # object
    elif num_classes is None:
        classes = meta.get('dataset_meta', {}).get('classes')
        if classes is None:
            raise ValueError(
                'The official format has a weight for each class of the training vocabulary, and '
                "this checkpoint does not tell how many there are (meta['dataset_meta']). Give "
                '--num-classes: 133 for COCO panoptic.')
        num_classes = len(classes)
    return torch.tensor([1.0] * num_classes + [_NO_OBJECT_WEIGHT])


def _metadata(kind: str, names: Sequence[str]) -> OrderedDict | None:
    """Versions of ODISE's modules, as :meth:`torch.nn.Module.state_dict` notes them."""
    if kind == 'fcclip':
        return None
    metadata = OrderedDict({'': dict(version=1)})
    for name in names:
        modules = name.split('.')[:-1]
        for depth in range(1, len(modules) + 1):
            module = '.'.join(modules[:depth])
            metadata[module] = dict(version=2 if module in _VERSION_2 else 1)
    return metadata


def describe(checkpoint: object) -> str:
    """What a checkpoint that is not the expected one holds."""
    if not isinstance(checkpoint, Mapping):
        return f'found {type(checkpoint).__name__}'
    if is_official(checkpoint):
        return (f'it is an official one{_of_kind(checkpoint["model"])}, to be converted without '
                '--to-official')
    weights = checkpoint.get('state_dict')
    if isinstance(weights, Mapping) and kind_of(weights):
        return f'it is one of ours{_of_kind(weights)}, to be converted with --to-official'
    names = [str(name) for name in checkpoint]
    return f'found {", ".join(names[:5])}' + (', ...' if len(names) > 5 else '')


def _of_kind(weights: Mapping) -> str:
    kind = kind_of(map(str, weights))
    return f' of the kind {TITLES[kind]!r}' if kind else ''
