"""What training needs and mmengine does not have."""

from .checkpoint_fit import CheckpointFit, load_fitting
from .checkpoint_fit_hook import CheckpointFitHook
from .checkpoint_reading import load_from_local
from .cpu_amp_optim_wrapper import CPUAmpOptimWrapper
from .iteration_seed_hook import IterationSeedHook
from .launch import check_same_config, meet
from .safe_checkpoint_hook import SafeCheckpointHook
from .schedule import set_max_iters
from .sharded_strategy import ShardedStrategy
from .whole_file_backend import WholeFileBackend

__all__ = [
    'CPUAmpOptimWrapper', 'CheckpointFit', 'CheckpointFitHook', 'IterationSeedHook',
    'SafeCheckpointHook', 'ShardedStrategy', 'WholeFileBackend', 'check_same_config',
    'load_fitting', 'load_from_local', 'meet', 'set_max_iters']
