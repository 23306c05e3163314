"""What a generator's features cost, found without computing them: on the meta device."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from unittest import mock

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..models import FeatureExtractor
from .flops import FUSED_ATTENTION, flop_counter


class GeneratorCost(NamedTuple):
    """Of one square image of the generator's own size.

    Attributes:
        image_size (int): Its side in pixels.
        parameters (int): Of the networks that are kept.
        weights (int): Bytes of them.
        forward_flops (int): Of matrix products and convolutions, a multiplication and an addition
            counted as two.
        training_flops (int): Likewise, with the way back to the text condition.
        forward_bytes (int): The most that is held at once apart from the weights.
        training_bytes (int): Likewise in training.
    """

    image_size: int
    parameters: int
    weights: int
    forward_flops: int
    training_flops: int
    forward_bytes: int
    training_bytes: int


def measure_generator(extractor: Mapping) -> GeneratorCost:
    """Build an extractor on the meta device, and count what a pass through it takes.

    Args:
        extractor (Mapping): Config of a :class:`FeatureExtractor`. Weights that are not local are
            built of numbers that are not computed: call it in :func:`random_weights`.
    """
    with torch.device('meta'):
        built: FeatureExtractor = MODELS.build(dict(extractor))
        image = torch.rand(1, 3, built.image_size, built.image_size)
        offsets = _offsets(built.condition or {})
    networks = built.frozen_modules()
    parameters = [weight for network in networks for weight in network.parameters()]
    tensors = parameters + [buffer for network in networks for buffer in network.buffers()]

    def forward() -> None:
        with torch.no_grad():
            built(image)

    def train() -> None:
        reached = [maps.sum() for maps in built(image, *offsets) if maps.requires_grad]
        if reached:
            sum(reached).backward()

    (flops, held), (training_flops, training_held) = (
        _count(run, tensors) for run in (forward, train))
    return GeneratorCost(
        built.image_size, sum(weight.numel() for weight in parameters),
        sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        flops, training_flops, held, training_held)


def _offsets(condition: Mapping[str, int | None]) -> list[Tensor | None]:
    """What a captioner would deliver, with gradients."""
    shapes = [
        (1, condition.get('text_length'), condition.get('text_width')),
        (1, condition.get('num_timesteps', 1), condition.get('time_width')),
        (1, condition.get('pooled_width'))]
    offsets = [None if None in shape else torch.zeros(shape, requires_grad=True)
               for shape in shapes]
    while offsets and offsets[-1] is None:
        offsets.pop()
    return offsets


def _count(run: Callable[[], None], weights: Sequence[Tensor]) -> tuple[int, int]:
    """Operations of a call, and the most bytes that it holds at once, apart from the weights."""
    with mock.patch.object(F, 'scaled_dot_product_attention', _fused_attention), \
            flop_counter() as operations, HeldBytes(weights) as held:
        run()
    return operations.get_total_flops(), held.most


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, *_, **__) -> Tensor:
    """Attention that keeps no matrix of weights, as on a CPU or GPU; on meta torch keeps it."""
    return FUSED_ATTENTION(query, key, value)[0]


class HeldBytes(TorchDispatchMode):
    """Adds up what operations make, while it lives; views of what was there before are nothing.

    Args:
        before (Sequence[Tensor]): What was there before.
    """

    def __init__(self, before: Sequence[Tensor]) -> None:
        super().__init__()
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in before}
        self._now = self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, Tensor):
                self._hold(value.untyped_storage())
        return made

    def _hold(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self._now += storage.nbytes()
            self.most = max(self.most, self._now)
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self._now -= self._sizes.pop(key)
