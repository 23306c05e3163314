"""Segment Anything of a folder, frozen: masks of points, or of names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..frozen import FrozenModule
from .frames import Frame
from .loading import load_sam, run_processor

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
        networks, chosen = load_sam(pretrained, prompts, dtype)
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
        prepared = run_processor(self.frozen.processor, image.float())
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
