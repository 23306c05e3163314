"""What training needs and mmengine does not have."""

from .checkpoint_fit_hook import CheckpointFitHook
from .config_check import check_config
from .cpu_amp_optim_wrapper import CPUAmpOptimWrapper
from .iteration_seed_hook import IterationSeedHook
from .launch import check_same_config, meet
from .safe_checkpoint_hook import SafeCheckpointHook
from .schedule import set_max_iters
from .sharded_strategy import ShardedStrategy

__all__ = [
    'CPUAmpOptimWrapper', 'CheckpointFitHook', 'IterationSeedHook', 'SafeCheckpointHook',
    'ShardedStrategy', 'check_config', 'check_same_config', 'meet', 'set_max_iters']
