"""What training needs and mmengine does not have."""

from .checkpoint_fit_hook import CheckpointFitHook
from .config import enable_amp, enable_auto_scale_lr, load_config, set_extractor_dtype
from .config_check import check_config
from .cpu_amp_optim_wrapper import CPUAmpOptimWrapper
from .evaluation_runner import EvaluationRunner
from .fast import has_bfloat16, make_fast
from .float32 import set_tf32
from .iteration_seed_hook import IterationSeedHook
from .launch import check_same_config, launched, meet
from .overlapped_evaluation import OverlappedEvaluator
from .process import tune_process
from .safe_checkpoint_hook import SafeCheckpointHook
from .schedule import set_max_iters
from .sharded_strategy import ShardedStrategy

__all__ = [
    'CPUAmpOptimWrapper', 'CheckpointFitHook', 'EvaluationRunner', 'IterationSeedHook',
    'OverlappedEvaluator', 'SafeCheckpointHook', 'ShardedStrategy', 'check_config',
    'check_same_config', 'enable_amp', 'enable_auto_scale_lr', 'has_bfloat16', 'launched',
    'load_config', 'make_fast', 'meet', 'set_extractor_dtype', 'set_max_iters', 'set_tf32',
    'tune_process']
