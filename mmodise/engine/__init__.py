"""What training needs and mmengine does not have."""

from .cpu_amp_optim_wrapper import CPUAmpOptimWrapper
from .safe_checkpoint_hook import SafeCheckpointHook
from .whole_file_backend import WholeFileBackend

__all__ = ['CPUAmpOptimWrapper', 'SafeCheckpointHook', 'WholeFileBackend']
