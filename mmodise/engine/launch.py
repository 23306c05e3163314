"""The processes of a distributed run meet, with GPUs or without."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import all_gather_object, init_dist, is_distributed
from mmengine.utils.dl_utils import set_multi_processing

from ..checkpoints import reading_safely
from .failure_watch import failing_together
from .float32 import set_tf32


@contextmanager
def launched(cfg: Config) -> Iterator[None]:
    """Surround what a command does with a config: build a runner, train, test.

    Inside, float32 is what ``cfg.tf32`` says, checkpoints are read safely, and the processes of a
    distributed run have met, and stop together when one of them fails.

    Args:
        cfg (Config): Changed in place, as :func:`meet` does.

    Raises:
        ValueError: As :func:`meet` and :func:`set_tf32`.
    """
    set_tf32(cfg)
    meet(cfg)
    with reading_safely(), failing_together():
        yield


def meet(cfg: Config) -> None:
    """Let the processes that a launcher has started find each other, before anything is built.

    mmengine's runner would do the same a moment later. Here it also works without a GPU, and the
    processes make sure that they have been given the same config.

    Args:
        cfg (Config): With ``launcher``. Where there is no GPU, the process group and the wrapper of
            the model are changed to those for the CPU.

    Raises:
        ValueError: In every process, if their configs differ; names the keys.
    """
    if cfg.get('launcher', 'none') == 'none':
        return
    env = cfg.setdefault('env_cfg', {})
    set_multi_processing(**env.get('mp_cfg', {}), distributed=True)  # as the runner, and first
    if not is_distributed():
        if get_device() == 'cpu':
            _init_on_cpu(cfg)
        else:
            init_dist(cfg.launcher, **env.get('dist_cfg', {}))
    check_same_config(cfg)


def _init_on_cpu(cfg: Config) -> None:
    """Set up the process group that works without a GPU, and a model wrapper without one."""
    set_device = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None  # mmengine selects a GPU, whatever the backend
    try:
        init_dist(cfg.launcher, **{**cfg.env_cfg.get('dist_cfg', {}), 'backend': 'gloo'})
    finally:
        torch.cuda.set_device = set_device
    if cfg.get('runner_type') == 'FlexibleRunner':
        strategy = {'type': 'DDPStrategy', **cfg.get('strategy', {})}
        device = {'device_ids': None} if strategy['type'] == 'DDPStrategy' else {'device_id': 'cpu'}
        strategy['model_wrapper'] = {**strategy.get('model_wrapper', {}), **device}
        cfg.strategy = strategy
    else:
        cfg.model_wrapper_cfg = {
            'broadcast_buffers': False,  # as mmengine's own default
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
            **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}


def check_same_config(cfg: Config) -> None:
    """Compare the configs of all processes.

    Args:
        cfg (Config): Of this process.

    Raises:
        ValueError: In every process, if they differ; names up to five keys with their values.
    """
    configs = all_gather_object(dict(_leaves(cfg.to_dict())))
    found = []
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [config.get(key, 'nothing') for config in configs]
        if len(set(values)) > 1:
            other = next(rank for rank, value in enumerate(values) if value != values[0])
            found.append(f'{key}: {values[0]} on rank 0, {values[other]} on rank {other}')
    if found:
        more = [f'and {len(found) - 5} more'] if len(found) > 5 else []
        raise ValueError(
            f'{cfg.filename or "Command line"}: the processes of this run were given different '
            'configs. Start all of them from the same files, with the same options:\n  '
            + '\n  '.join(found[:5] + more))


def _leaves(node: object, path: str = '') -> Iterator[tuple[str, str]]:
    """Keys of a nested config with dots between them, and what they are set to."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(
        node, (list, tuple)) else None
    if not children:
        yield path, repr(node)
    else:
        for key, value in children:
            yield from _leaves(value, f'{path}.{key}' if path else str(key))
