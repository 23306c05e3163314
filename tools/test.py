"""Evaluates a checkpoint of a detector."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmdet's own script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='folder for logs and metrics (default: work_dirs/CONFIG_NAME)')
    parser.add_argument('--out', metavar='FILE.pkl', help='write the predictions to a pickle file')
    parser.add_argument(
        '--show-dir', metavar='NAME',
        help='paint the predictions into WORK_DIR/TIMESTAMP/NAME')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. test_dataloader.batch_size=1')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='how the processes of a distributed run are started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    parser.set_defaults(show=False)  # asked for by mmdet's trigger_visualization_hook
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out: {args.out} does not end with .pkl or .pickle')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, and let the command line override it.

    Raises:
        ValueError: If a key is misspelt.
    """
    from mmdet.engine.hooks.utils import trigger_visualization_hook

    from mmodise.engine.config_check import check_config
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.merge_from_dict(args.cfg_options or {})
    check_config(cfg)
    if args.work_dir or not cfg.get('work_dir'):
        cfg.work_dir = args.work_dir or str(Path('work_dirs', Path(args.config).stem))
    return trigger_visualization_hook(cfg, args) if args.show_dir else cfg


def main() -> None:
    """Evaluate."""
    args = parse_args()
    # After the options, so that --help answers quickly, and before mmdet, which needs it.
    from mmengine.runner import Runner

    import mmodise  # noqa: F401
    from mmodise.engine import meet
    cfg = load_config(args)
    meet(cfg)
    runner = Runner.from_cfg(cfg)
    if args.out:
        from mmdet.evaluation import DumpDetResults
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
