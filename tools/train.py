"""Trains a detector, on a GPU where there is one and on the CPU otherwise."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmdet's own script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision (bfloat16 where there is no GPU)')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CHECKPOINT',
        help='continue a run, from this checkpoint or from the latest one in the work folder')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_cfg.max_iters=10')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='how the processes of a distributed run are started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, and let the command line override it.

    Raises:
        ValueError: If a key is misspelt.
    """
    from mmodise.engine.config_check import check_config
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(args.cfg_options or {})
    check_config(cfg)
    if args.work_dir or not cfg.get('work_dir'):
        cfg.work_dir = args.work_dir or str(Path('work_dirs', Path(args.config).stem))
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_auto_scale_lr(cfg)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    return cfg


def enable_amp(cfg: Config) -> None:
    """Choose the optimizer wrapper for mixed precision on the device that will be used."""
    from mmengine.device import get_device
    if get_device() == 'cpu':
        import mmodise.engine  # noqa: F401  registers the wrapper
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
        for name in ('loss_scale', 'dtype', 'use_fsdp'):  # of the wrapper for GPUs
            cfg.optim_wrapper.pop(name, None)
    else:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def enable_auto_scale_lr(cfg: Config) -> None:
    """Switch on mmengine's scaling of the learning rate.

    Raises:
        ValueError: If the config does not say for which batch size its learning rate is meant.
    """
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ValueError(
            f'--auto-scale-lr: {cfg.filename} has no auto_scale_lr.base_batch_size; add '
            'auto_scale_lr = dict(base_batch_size=N), N the batch size its learning rate is for')
    cfg.auto_scale_lr.enable = True


def main() -> None:
    """Train."""
    args = parse_args()
    # After the options, so that --help answers quickly.
    from mmengine.registry import RUNNERS

    import mmodise  # noqa: F401
    from mmodise.engine import meet
    cfg = load_config(args)
    meet(cfg)
    RUNNERS.build(cfg).train()


if __name__ == '__main__':
    main()
