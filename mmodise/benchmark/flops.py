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
    counter = FlopCounterMode(display=False, custom_mapping={
        FUSED_ATTENTION: _attention_flops,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward:
            _attention_backward_flops})
    if hasattr(counter, 'mod_tracker'):  # its hooks keep what is recomputed for the backward pass
        counter.mod_tracker = _NoModules()
    return counter


class _NoModules:
    """Stands for what tells the counter which module is running."""

    parents = frozenset({'Global'})

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        pass


def _attention_flops(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_, **__):
    return sdpa_flop_count(query, key, value)


def _attention_backward_flops(_, query, key, value, *__, **___):
    # five products, of two forwards
    return sdpa_flop_count(query, key, value) * 5 // 2
