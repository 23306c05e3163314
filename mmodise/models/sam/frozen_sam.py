"""Segment Anything of a folder, frozen: masks of points, or of names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
import transformers
from torch import Tensor

from ...checkpoints.transformers_folder import check_processor, load_network, read_model_type
from ...weights import locate
from ..frozen import FrozenModule, FrozenNetworks
from .frames import Frame

#: Classes of transformers by what config.json calls a model, and by what prompts it: points of a
#: grid, or names.
NETWORKS = dict(
    sam=dict(points='SamModel'),
    sam2=dict(points='Sam2Model'),
    sam2_video=dict(points='Sam2Model'),
    sam3=dict(names='Sam3Model'),
    sam3_tracker=dict(points='Sam3TrackerModel'),
    sam3_video=dict(points='Sam3TrackerModel', names='Sam3Model'))
_SINCE = dict(SamModel='4.29', Sam2Model='4.56', Sam3Model='5.0', Sam3TrackerModel='5.0')
_DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)
_NAME_LENGTH = 32  # tokens of a name, as Sam3Processor has it


class Concept(NamedTuple):
    """What the network finds for a name; logits are of its square.

    Attributes:
        masks: Of its objects, (Q, h, w).
        scores: Probability of each, (Q,).
        region: Of all that is called so, (h, w).
        presence: Probability that there is any.
    """

    masks: Tensor
    scores: Tensor
    region: Tensor
    presence: Tensor


class FrozenSAM(FrozenModule):
    """A network of Segment Anything with what prepares pictures for it.

    Args:
        pretrained (str): A folder in transformers' layout, a name on the hub, or ``mmodise://``.
        prompts (str, optional): 'points' or 'names'. None: points, if the network takes them.
        dtype (str): 'float32', 'bfloat16' or 'float16'.

    Raises:
        FileNotFoundError: If a file is missing, or is no weights.
        ImportError: If the installed transformers is too old.
        ValueError: If the folder is of another kind of network, or weights are missing or broken.
    """

    def __init__(
        self, pretrained: str, prompts: str | None = None, dtype: str = 'float32'
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(f'SAMHead: dtype={dtype!r}; give one of {", ".join(_DTYPES)}.')
        try:
            chosen, kind = _choose(read_model_type(pretrained), prompts)
            where = locate(pretrained)
            origin = 'SAM', os.path.realpath(where) if os.path.isdir(where) else where, kind, dtype
            networks = FrozenNetworks.obtain(
                origin, lambda: _load(origin, where, kind, chosen, _DTYPES[dtype]))
        except (FileNotFoundError, ImportError, ValueError) as error:
            raise type(error)(
                f"SAMHead: pretrained='{pretrained}': {error}\n  Accepted: a local folder in "
                "transformers' layout (config.json, model.safetensors, preprocessor_config.json) "
                f'of a model_type of {", ".join(NETWORKS)}; or its name on the hub, which needs '
                'network access.') from error
        super().__init__(networks)
        self.prompts = chosen

    @torch.no_grad()
    def prepare(self, image: Tensor, padded: tuple[int, int]) -> tuple[Tensor, Frame]:
        """Resize and normalise as the folder says.

        Args:
            image (Tensor): RGB in [0, 1], without padding, (3, H, W).
            padded (tuple[int, int]): Size of the batch that it is from.

        Returns:
            tuple: Pixels, (1, 3, S, S), and where the picture is in them.
        """
        prepared = _run(self.frozen.processor, image.float())
        pixels = prepared['pixel_values']
        resized = prepared.get('reshaped_input_sizes')
        square = tuple(pixels.shape[-2:])
        resized = square if resized is None else tuple(map(int, resized[0]))
        frame = Frame(tuple(image.shape[-2:]), tuple(padded), resized, square)
        return pixels.to(image.device, self.frozen.network.dtype), frame

    @torch.no_grad()
    def masks_at(
        self, pixels: Tensor, points: Tensor, at_once: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Masks at points; the picture is embedded once.

        Args:
            pixels (Tensor): Of :meth:`prepare`, (1, 3, S, S).
            points (Tensor): x and y in these pixels, (P, 2).
            at_once (int): How many points go through the decoder together.

        Yields:
            tuple: Logits of several masks a point, (N, h, w), and their predicted qualities, (N,).
        """
        network = self.frozen.network
        with self.own_precision():
            embeddings = network.get_image_embeddings(pixels)
        for part in points.split(at_once):
            with self.own_precision():
                found = network(image_embeddings=embeddings, input_points=part[None, :, None],
                                multimask_output=True)
            yield found.pred_masks.flatten(0, 2), found.iou_scores.flatten().float()

    @torch.no_grad()
    def concepts(
        self, pixels: Tensor, names: Sequence[str], at_once: int
    ) -> Iterator[Concept]:
        """What names mean in a picture, which is embedded once.

        Args:
            pixels (Tensor): Of :meth:`prepare`, (1, 3, S, S).
            names (Sequence[str]): The names.
            at_once (int): How many names go through the network together.
        """
        frozen = self.frozen
        with self.own_precision():
            vision = frozen.network.get_vision_features(pixels)
        for start in range(0, len(names), at_once):
            tokens = frozen.tokenizer(
                list(names[start:start + at_once]), padding='max_length', truncation=True,
                max_length=_NAME_LENGTH, return_tensors='pt').to(pixels.device)
            number = len(tokens['input_ids'])
            repeated = type(vision)(**{
                key: tuple(maps.expand(number, *maps.shape[1:]) for maps in vision[key])
                for key in ('fpn_hidden_states', 'fpn_position_encoding')})
            with self.own_precision():
                found = frozen.network(
                    vision_embeds=repeated, input_ids=tokens['input_ids'],
                    attention_mask=tokens['attention_mask'])
            presence = found.presence_logits.float().sigmoid()
            scores = found.pred_logits.float().sigmoid() * presence
            yield from map(Concept, found.pred_masks, scores, found.semantic_seg[:, 0],
                           presence[:, 0])


def _choose(model_type: str, prompts: str | None) -> tuple[str, str]:
    """The prompts, and the class of transformers that takes them."""
    kinds = NETWORKS.get(model_type)
    if kinds is None:
        raise ValueError(f'it is of a {model_type!r}, which gives no masks here.')
    if prompts is None:
        prompts = next(iter(kinds))
    if prompts not in kinds:
        raise ValueError(
            f'prompts={prompts!r}, but a {model_type!r} takes {" or ".join(kinds)}.')
    return prompts, kinds[prompts]


def _load(
    origin: tuple, source: str, kind: str, prompts: str, dtype: torch.dtype
) -> FrozenNetworks:
    network_class = getattr(transformers, kind, None)
    if network_class is None:
        raise ImportError(
            f'{kind} needs transformers {_SINCE[kind]} or newer; installed is '
            f'{transformers.__version__}.')
    check_processor(source)
    with torch.device('cpu'):  # whatever the default is
        network = load_network(source, network_class, dtype)
        processor, tokenizer = _from_folder(transformers.AutoImageProcessor, source), None
        if prompts == 'names':
            tokenizer = _from_folder(transformers.AutoTokenizer, source)
        _check_square(network, processor)
        return FrozenNetworks(
            origin, network=network, processor=processor, tokenizer=tokenizer)


def _from_folder(kind: type, source: str) -> object:
    try:
        return kind.from_pretrained(source)
    except Exception as error:  # of the hub, of the network, of broken files
        raise FileNotFoundError(f'{kind.__name__} cannot be loaded: {error}') from error


def _run(processor: Callable, image: Tensor) -> Mapping:
    return processor(
        image, do_rescale=False, input_data_format='channels_first', return_tensors='pt')


def _check_square(network: object, processor: object) -> None:
    """Refuse a folder that prepares pictures for another network than its own."""
    config = getattr(network.config, 'prompt_encoder_config', network.config)
    pixels = _run(processor, torch.zeros(3, 8, 8))['pixel_values']
    found, expected = tuple(pixels.shape[-2:]), (config.image_size, ) * 2
    if found != expected:
        raise ValueError(
            f'its preprocessor_config.json makes pictures of {found[1]} x {found[0]} pixels, and '
            f'its config.json is of a network for {expected[1]} x {expected[0]}.')
