"""Show all of mmodise within minutes, without a download: data set, training, figures, pictures.

python tools/demo.py

Draws the embedded data set where it is missing, trains the recipe for it on annotations of its
base classes, evaluates it with and without CLIPClassifier, and writes into WORK_DIR::

    results.json          PQ, SQ and RQ in percent; null where a group has no class
    overview.png          input, ground truth and prediction of some validation images
    pictures/             the same, a file an image
    training_curve.png
    weights.pth           the trained parameters, without the optimizer's state
    console.log           what mmdet had to say

Interrupted and started again it continues from its last checkpoint; after it has finished it
trains anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'),
                        help='folder to write into (default: work_dirs/demo)')
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    parser.add_argument(
        '--publish', type=Path, metavar='FILE',
        help='write the weights into this file too, in half precision; so was made what comes '
        'with mmodise as mmodise://shapes/odise.pth')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_dataloader.batch_size=4')
    return parser.parse_args(argv)


def main() -> None:
    """Run the demo."""
    args = parse_args()
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.runner import Runner

    from mmodise.benchmark.demo_pictures import draw_pictures
    from mmodise.benchmark.demo_run import evaluate, format_results, read_config, save_weights
    from mmodise.benchmark.progress import ProgressBar, Stopwatch, peak_memory, quiet
    from mmodise.benchmark.training_curve import draw_training_curve
    from mmodise.datasets.shapes_world.writer import make_missing
    from mmodise.engine import launched, tune_process
    tune_process()
    args.work_dir.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    with watch.stage('data'):
        make_missing(Path('data/shapes'))
    cfg = read_config(args.work_dir, args.cfg_options, args.max_iters)
    with quiet(args.work_dir / 'console.log'), launched(cfg):
        with watch.stage('training'):
            runner = Runner.from_cfg(cfg)
            runner.register_hook(ProgressBar())
            runner.train()
        with watch.stage('evaluation'):
            results = evaluate(runner)
        with watch.stage('pictures'):
            draw_pictures(runner, args.work_dir)
            draw_training_curve(args.work_dir, args.work_dir / 'training_curve.png')
    (args.work_dir / 'results.json').write_text(
        json.dumps(results, indent=2, allow_nan=False), encoding='utf-8')
    print(format_results(results))
    print(save_weights(args.work_dir, args.publish))
    print('Seconds: ' + ', '.join(f'{name} {s:.0f}' for name, s in watch.seconds.items()))
    print('Peak memory: {:.2f} GB, and {:.2f} GB in a helper process'.format(*peak_memory()))
    print(f'Results, pictures and training curve are in {args.work_dir.resolve()}')


if __name__ == '__main__':
    main()
