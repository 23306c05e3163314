"""Evaluates a checkpoint of a detector, or a detector in which nothing is trained."""

import argparse
import os

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmdet's own script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', nargs='?', default='none',
        help='checkpoint file; none (the default) if nothing in the model is trained')
    parser.add_argument(
        '--work-dir', help='folder for logs and metrics (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--out', metavar='FILE.pkl',
        help='write the predictions to a pickle file; of several data sets FILE_DATA-SET.pkl each')
    parser.add_argument(
        '--save-predictions', action='store_true',
        help='keep the predictions, in WORK_DIR/TIMESTAMP/predictions, for analyze_predictions')
    parser.add_argument(
        '--show-dir', metavar='NAME',
        help='paint the predictions into WORK_DIR/TIMESTAMP/NAME')
    parser.add_argument(
        '--fast', action='store_true',
        help='frozen networks in bfloat16, if the device has it, as configs/_base_/fast.py')
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


def main() -> None:
    """Evaluate."""
    args = parse_args()
    # After the options, so that --help answers quickly, and before mmdet, which needs it.
    import mmodise  # noqa: F401

    # isort: split
    from mmdet.engine.hooks.utils import trigger_visualization_hook
    from mmdet.evaluation import DumpDetResults

    from mmodise.engine import EvaluationRunner, launched, load_config, tune_process
    from mmodise.evaluation import DataSetsTestLoop, run_test
    tune_process()
    cfg = load_config(
        args.config, args.cfg_options, work_dir=args.work_dir, launcher=args.launcher,
        fast=args.fast)
    cfg.load_from = None if args.checkpoint == 'none' else args.checkpoint
    if args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    with launched(cfg):
        runner = EvaluationRunner.from_cfg(cfg)
        if args.out and isinstance(runner.test_loop, DataSetsTestLoop):
            runner.test_loop.out_file = args.out
        elif args.out:
            runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
        run_test(runner, args.save_predictions)


if __name__ == '__main__':
    main()
