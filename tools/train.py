"""Trains a detector, on a GPU where there is one and on the CPU otherwise."""

import argparse
import os

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmdet's own script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision (bfloat16 where there is no GPU)')
    parser.add_argument(
        '--fast', action='store_true',
        help='frozen networks in bfloat16, if the device has it, as configs/_base_/fast.py')
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


def main() -> None:
    """Train."""
    args = parse_args()
    # After the options, so that --help answers quickly.
    from mmengine.registry import RUNNERS

    import mmodise  # noqa: F401
    from mmodise.engine import (
        enable_amp,
        enable_auto_scale_lr,
        launched,
        load_config,
        tune_process,
    )
    tune_process()
    cfg = load_config(
        args.config, args.cfg_options, work_dir=args.work_dir, launcher=args.launcher,
        fast=args.fast)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_auto_scale_lr(cfg)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    with launched(cfg):
        RUNNERS.build(cfg).train()


if __name__ == '__main__':
    main()
