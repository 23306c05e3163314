"""What training needs and mmengine does not have."""

from .cpu_amp_optim_wrapper import CPUAmpOptimWrapper
from .schedule import set_max_iters

__all__ = ['CPUAmpOptimWrapper', 'set_max_iters']
