"""Lets mmcv's PyTorch code for deformable attention take a part of the queries at a time."""

import functools
import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# values that are sampled at once: what a CPU's cache holds; on a GPU, enough to keep it busy
_SAMPLES_CPU, _SAMPLES_GPU = 2**22, 2**26


def in_parts(attention: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make deformable attention's memory that of its inputs, as the compiled op's is.

    mmcv's PyTorch code holds what it samples for all queries, levels and points, 12 times the
    feature maps in Mask2Former's pixel decoder, and a gradient keeps that. The results are the
    same, bit by bit; the gradient sums in another order.

    Args:
        attention (Callable): ``multi_scale_deformable_attn_pytorch(value, value_spatial_shapes,
            sampling_locations, attention_weights)``, with values (B, N, heads, C), locations
            (B, Q, heads, levels, points, 2) and weights (B, Q, heads, levels, points); returns
            (B, Q, heads x C).

    Returns:
        Callable: The same function of the same arguments.
    """
    @functools.wraps(attention)
    def run(
        value: Tensor, value_spatial_shapes: Tensor, sampling_locations: Tensor,
        attention_weights: Tensor,
    ) -> Tensor:
        samples = _SAMPLES_CPU if value.device.type == 'cpu' else _SAMPLES_GPU
        a_query = attention_weights[:, 0].numel() * value.shape[-1]
        queries = max(1, samples // a_query)
        # pixels last, as attention reads them: it copies no part of a tensor that is so already
        value = value.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        shapes = _on_host(value_spatial_shapes)
        return torch.cat([
            checkpoint(attention, value, shapes, locations, weights,
                       use_reentrant=False, preserve_rng_state=False)
            for locations, weights in zip(
                sampling_locations.split(queries, 1), attention_weights.split(queries, 1),
                strict=True)], 1)

    return run


def _on_host(shapes: Tensor) -> list[list[int]]:
    """Shapes of the levels as numbers, (levels, 2).

    mmcv's code reads them one by one, and on a GPU each is waited for. All layers of an encoder are
    given the same tensor, so that they are read once and kept with it.
    """
    numbers = getattr(shapes, 'mmodise_numbers', None)
    if numbers is None:
        numbers = shapes.mmodise_numbers = shapes.tolist()
    return numbers


def install() -> None:
    """Put it in the place of mmcv's, which takes it wherever its compiled op does not run."""
    module = importlib.import_module('mmcv.ops.multi_scale_deform_attn')
    name = 'multi_scale_deformable_attn_pytorch'
    if not hasattr(getattr(module, name), '__wrapped__'):
        setattr(module, name, in_parts(getattr(module, name)))
