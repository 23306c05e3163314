"""Frozen layers that multiply in int8, on a CPU."""

from __future__ import annotations

from abc import abstractmethod

import torch
from open_clip.modified_resnet import AttentionPool2d
from torch import Tensor, nn

#: Layers with fewer inputs stay as they are, such as the first ones, which see pictures or latents:
#: they take no time, and all that follows depends on them.
MIN_INPUTS = 16
_STEPS = 254  # of an input's range; rounding never leaves uint8


def quantize(network: nn.Module) -> None:
    """Put int8 layers in place of linear layers and convolutions.

    In place of those that are called as modules: the projections of CLIP's attention, whose weights
    are read by torch's multi-head attention, compute as before. So do attention's own products of
    queries, keys and values, and convolutions in groups.

    Args:
        network (Module): Frozen; it is changed.

    Raises:
        RuntimeError: If torch cannot multiply in int8 here.
    """
    _check_available()
    for part in list(network.modules()):
        if isinstance(part, AttentionPool2d):
            continue
        for name, layer in part.named_children():
            if type(layer) is nn.Linear and layer.in_features >= MIN_INPUTS:
                setattr(part, name, Int8Linear(layer))
            elif _is_plain_convolution(layer):
                setattr(part, name, Int8Conv2d(layer))


def is_quantized(network: nn.Module) -> bool:
    """Whether a network has layers in int8, which no gradient passes."""
    return any(isinstance(layer, _Int8Layer) for layer in network.modules())


def _is_plain_convolution(layer: nn.Module) -> bool:
    return (type(layer) is nn.Conv2d and layer.in_channels >= MIN_INPUTS and layer.groups == 1
            and layer.padding_mode == 'zeros' and not isinstance(layer.padding, str))


def _check_available() -> None:
    operators = torch.ops.onednn
    if not all(hasattr(operators, name) for name in (
            'qlinear_prepack', 'qlinear_pointwise', 'qconv_prepack', 'qconv_pointwise')):
        raise RuntimeError(
            f"int8: this torch ({torch.__version__}) lacks oneDNN's operators for it, which come "
            "with newer builds for CPUs; take another precision, such as 'bfloat16'.")


class _Int8Layer(nn.Module):
    """A layer whose weights are int8, one scale per output, and whose inputs are made so.

    The range of an input is that of one image alone, so that no result depends on what else is in a
    batch. It has no parameters, and copies of it are itself.

    Args:
        layer (Module): Frozen, on a CPU; it is not changed.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        weight = layer.weight.detach().float()
        largest = weight.abs().flatten(1).amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny)
        self._scales = largest / 127
        self._zeros = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
        self._bias = None if layer.bias is None else layer.bias.detach().float()
        scales = self._scales.view(-1, *[1] * (weight.ndim - 1))
        self._weight = self._pack(layer, (weight / scales).round().to(torch.int8))
        #: What open_clip takes for the precision of a tower.
        self.int8_original_dtype = torch.float32

    def __deepcopy__(self, memo: dict) -> _Int8Layer:
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """As the layer's, (B, ...), without gradients.

        Raises:
            RuntimeError: If a gradient is to pass, or the input is not on a CPU.
        """
        if torch.is_grad_enabled() and inputs.requires_grad:
            raise RuntimeError(
                'Layers in int8 pass no gradients, and something before them is trained, such as a '
                "captioner. Train with another precision of the frozen networks, such as "
                "'float32' or 'bfloat16', and test in int8.")
        if inputs.device.type != 'cpu':
            raise RuntimeError(
                f'Layers in int8 compute on a CPU, and their input is on {inputs.device}. Take '
                "another precision of the frozen networks there, such as 'bfloat16'.")
        results = [self._multiply(*_to_uint8(one)) for one in inputs.float().split(1)]
        return results[0] if len(results) == 1 else torch.cat(results)

    @abstractmethod
    def _pack(self, layer: nn.Module, weight: Tensor) -> Tensor:
        """The layer's int8 weights as oneDNN wants them."""

    @abstractmethod
    def _multiply(self, inputs: Tensor, scale: float, zero: int) -> Tensor:
        """Of uint8 inputs, whose values are ``scale`` x (input - ``zero``), in float32."""


class Int8Linear(_Int8Layer):
    """A frozen ``torch.nn.Linear`` in int8, see :func:`quantize`."""

    def _pack(self, layer: nn.Linear, weight: Tensor) -> Tensor:
        return torch.ops.onednn.qlinear_prepack(weight, None)

    def _multiply(self, inputs: Tensor, scale: float, zero: int) -> Tensor:
        return torch.ops.onednn.qlinear_pointwise(
            inputs, scale, zero, self._weight, self._scales, self._zeros, self._bias,
            *_FLOAT_RESULT)


class Int8Conv2d(_Int8Layer):
    """A frozen ``torch.nn.Conv2d`` in int8, see :func:`quantize`."""

    def _pack(self, layer: nn.Conv2d, weight: Tensor) -> Tensor:
        self._geometry = [list(layer.stride), list(layer.padding), list(layer.dilation), 1]
        return torch.ops.onednn.qconv_prepack(weight, self._scales, 1.0, 0, *self._geometry, None)

    def _multiply(self, inputs: Tensor, scale: float, zero: int) -> Tensor:
        # the order that oneDNN is fast in; the result has it, too
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        return torch.ops.onednn.qconv_pointwise(
            inputs, scale, zero, self._weight, self._scales, self._zeros, self._bias,
            *self._geometry, *_FLOAT_RESULT)


# scale and zero of a quantised result, which it is not; its type; nothing is done with it after
_FLOAT_RESULT = 1.0, 0, torch.float32, 'none', [], ''


def _to_uint8(values: Tensor) -> tuple[Tensor, float, int]:
    """Values as uint8, their scale, and what stands for 0."""
    low, high = (bound.item() for bound in values.aminmax())
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _STEPS or 1.0
    zero = round(-low / scale)
    half_up = torch.tensor(zero + 0.5, device='cpu')
    return torch.add(half_up, values, alpha=1 / scale).to(torch.uint8), scale, zero
