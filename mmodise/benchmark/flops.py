"""Counting operations."""

from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

#: The CPU's attention, which torch's table of operations lacks.
FUSED_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def flop_counter() -> FlopCounterMode:
    """Torch's counter of matrix products and convolutions, for what runs on a CPU as well.

    A multiplication and an addition count as two operations.
    """
    return FlopCounterMode(display=False, custom_mapping={
        FUSED_ATTENTION: _attention_flops,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward:
            _attention_backward_flops})


def _attention_flops(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_, **__):
    return sdpa_flop_count(query, key, value)


def _attention_backward_flops(_, query, key, value, *__, **___):
    # five products, of two forwards
    return sdpa_flop_count(query, key, value) * 5 // 2
