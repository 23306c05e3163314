"""Mixed precision training without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16 on the CPU; parameters and gradients stay in float32.

    mmengine's ``AmpOptimWrapper`` refuses to run without a GPU. bfloat16 has float32's range of
    exponents, so no loss scaling is needed.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Enter mixed precision, and mmengine's own context for gradient accumulation."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
